// google.protobuf.StringValue, of less than 128 bytes.
export const write = (text) => Uint8Array.from([10, text.length, ...new TextEncoder().encode(text)]);
export const read = (bytes) => new TextDecoder().decode(bytes.slice(2));
