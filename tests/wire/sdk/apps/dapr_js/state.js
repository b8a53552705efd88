// An ordinary application that keeps its state by Dapr's JavaScript SDK, over HTTP and over gRPC.
const readline = require("node:readline");
const { CommunicationProtocolEnum, DaprClient } = require("@dapr/dapr");

const STORE = "inventory";

const connected = async (protocol, call) => {
  const client = new DaprClient({
    daprHost: process.env.DAPR_RUNTIME_HOST,
    daprPort: protocol === "HTTP" ? process.env.DAPR_HTTP_PORT : process.env.DAPR_GRPC_PORT,
    communicationProtocol: CommunicationProtocolEnum[protocol],
  });
  try {
    return await call(client);
  } finally {
    await client.stop();
  }
};

// What one saves over one protocol, another reads over the other one.
const sharing = async () => {
  await connected("GRPC", (client) =>
    client.state.save(STORE, [{ key: "car", value: { quantity: 10 } }])
  );
  return await connected("HTTP", async (client) => {
    const found = await client.state.get(STORE, "car");
    await client.state.save(STORE, [{ key: "car", value: { quantity: found.quantity - 1 } }]);
    return await connected("GRPC", (other) => other.state.get(STORE, "car"));
  });
};

const calling = (protocol) => () =>
  connected(protocol, async (client) => {
    const seen = {};
    const { state, secret } = client;
    await state.save(STORE, [
      { key: "a", value: { x: 1 } },
      { key: "b", value: "text" },
    ]);
    seen.got = [await state.get(STORE, "a"), await state.get(STORE, "b")];
    const bulk = await state.getBulk(STORE, ["b", "a"]);
    seen.bulk = bulk.map((item) => [item.key, item.data]);
    await state.transaction(STORE, [
      { operation: "upsert", request: { key: "c", value: "new" } },
      { operation: "delete", request: { key: "b" } },
    ]);
    seen.transaction = [await state.get(STORE, "b"), await state.get(STORE, "c")];
    seen.stale = await refused(() => state.delete(STORE, "a", { etag: "another" }));
    seen.kept = await state.get(STORE, "a");
    seen.removed = await refused(() => state.delete(STORE, "a", { etag: bulk[1].etag }));
    seen.secret = await secret.get("vault", "db:password");
    seen.secrets = await secret.getBulk("vault");
    return seen;
  });

// The client throws, or answers with the error.
const refused = async (call) => {
  try {
    const answer = await call();
    return Boolean(answer?.error);
  } catch {
    return true;
  }
};

const scenarios = { sharing, http: calling("HTTP"), grpc: calling("GRPC") };

const main = async () => {
  for await (const name of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { result: await scenarios[name]() };
    } catch (error) {
      answer = { error: error.stack };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
};

main();
