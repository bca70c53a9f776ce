// A call with the clients of Connect: text in, text out, or the error that the client makes of the answer.
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { StringValueSchema, file_google_protobuf_wrappers } from "@bufbuild/protobuf/wkt";
import { create, createFileRegistry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

const proto = create(FileDescriptorProtoSchema, {
  name: "test.proto", package: "test", syntax: "proto3", dependency: ["google/protobuf/wrappers.proto"],
  service: [{ name: "Echo", method: ["Say", "TrailersOnly"].map((name) => ({ name, inputType: ".google.protobuf.StringValue", outputType: ".google.protobuf.StringValue" })) }],
});
const Echo = createFileRegistry(proto, (name) => name === "google/protobuf/wrappers.proto" ? file_google_protobuf_wrappers : undefined).getService("test.Echo");

const call = (transport) => async (baseUrl, method, value, options) =>
  (await createClient(Echo, transport({ baseUrl }))[method]({ value }, options)).value;

globalThis.callConnect = call(createConnectTransport);
globalThis.callConnectGRPCWeb = call(createGrpcWebTransport);
