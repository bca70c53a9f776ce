// A call with the client of grpc-web: text in, text out, or the error that the client makes of the answer.
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";
import { read, write } from "./text.js";

globalThis.callGRPCWeb = (url, text, { metadata = {}, format = "binary" } = {}) => {
  const { origin, pathname } = new URL(url);
  const method = new MethodDescriptor(pathname, MethodType.UNARY, String, String, write, read);
  return new Promise((resolve, reject) =>
    new GrpcWebClientBase({ format }).rpcCall(origin + pathname, text, metadata, method, (error, answer) => error ? reject(error) : resolve(answer)));
};
