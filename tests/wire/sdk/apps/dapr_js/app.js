// An ordinary application of Dapr's JavaScript SDK; it knows nothing of Flowyard.
//
// Each line of its input names a scenario, and each line of its output tells as JSON how that went.
const readline = require("node:readline");
const { DaprWorkflowClient, WorkflowRuntime, WorkflowRuntimeStatus } = require("@dapr/dapr");

const address = {
  daprHost: process.env.DAPR_RUNTIME_HOST,
  daprPort: process.env.DAPR_GRPC_PORT,
};
const runtime = new WorkflowRuntime(address);
const client = new DaprWorkflowClient(address);
const attempts = {};

const add_one = async (ctx, number) => number + 1;

const succeed_at_third = async (ctx, key) => {
  attempts[key] = (attempts[key] ?? 0) + 1;
  if (attempts[key] < 3) throw new Error(`attempt ${attempts[key]} of ${key} fails`);
  return attempts[key];
};

const fail = async (ctx, reason) => {
  throw new Error(reason);
};

const measure = async (ctx, text) => text.length;

async function* chain(ctx, number) {
  for (let step = 0; step < 3; step++) number = yield ctx.callActivity(add_one, number);
  return number;
}

async function* fan_out(ctx, count) {
  const tasks = [];
  // From 1: the SDK takes an input of 0 for none.
  for (let one = 1; one <= count; one++) tasks.push(ctx.callActivity(add_one, one));
  const results = yield ctx.whenAll(tasks);
  return results.reduce((sum, one) => sum + one, 0);
}

// The SDK has no retry policies: a workflow tries again itself.
async function* retry(ctx, key) {
  while (true) {
    try {
      return yield ctx.callActivity(succeed_at_third, key);
    } catch (error) {
      yield ctx.createTimer(0.01);
    }
  }
}

async function* unreliable_child(ctx, key) {
  return yield ctx.callActivity(succeed_at_third, key);
}

async function* parent(ctx, key) {
  const plain = yield ctx.callChildWorkflow(chain, 1);
  for (let attempt = 0; ; attempt++) {
    try {
      return [plain, yield ctx.callChildWorkflow(unreliable_child, key)];
    } catch (error) {
      if (attempt > 3) throw error;
    }
  }
}

async function* approval(ctx, milliseconds) {
  const event = ctx.waitForExternalEvent("approved");
  const winner = yield ctx.whenAny([event, ctx.createTimer(milliseconds / 1000)]);
  return winner == event ? event.getResult() : "too late";
}

async function* wait_for_ever(ctx) {
  ctx.setCustomStatus("waiting");
  const data = yield ctx.waitForExternalEvent("go");
  ctx.setCustomStatus("done");
  return data;
}

async function* nap(ctx, milliseconds) {
  const before = ctx.getCurrentUtcDateTime();
  yield ctx.createTimer(milliseconds / 1000);
  return ctx.getCurrentUtcDateTime() - before >= milliseconds;
}

async function* count_down(ctx, state) {
  if (state.left === 0) return [state.turns, yield ctx.waitForExternalEvent("seen")];
  yield ctx.callActivity(add_one, 1);
  ctx.continueAsNew({ left: state.left - 1, turns: state.turns + 1 }, true);
}

async function* failing(ctx, reason) {
  yield ctx.callActivity(fail, reason);
}

async function* large(ctx, text) {
  const length = yield ctx.callActivity(measure, text);
  return length === text.length ? text : "";
}

const ended = (id) => client.waitForWorkflowCompletion(id, true, 60);

async function completed(id) {
  const state = await ended(id);
  if (state.runtimeStatus !== WorkflowRuntimeStatus.COMPLETED) {
    throw new Error(`${id} is ${WorkflowRuntimeStatus[state.runtimeStatus]}`);
  }
  return JSON.parse(state.serializedOutput);
}

const run = async (workflow, input) =>
  completed(await client.scheduleNewWorkflow(workflow, input));

async function status(id) {
  const state = await client.getWorkflowState(id, false);
  return state === undefined ? null : WorkflowRuntimeStatus[state.runtimeStatus];
}

async function started(workflow, input, id) {
  const instance = await client.scheduleNewWorkflow(workflow, input, id);
  await client.waitForWorkflowStart(instance, false, 60);
  return instance;
}

const scenarios = {
  chaining: () => run(chain, 1),
  fanning_out: () => run(fan_out, 20),
  retrying: () => run(retry, "activity"),
  nesting: () => run(parent, "child"),
  approving: async () => {
    const id = await started(approval, 60_000);
    await client.raiseEvent(id, "Approved", { by: "Ann" });
    return [await completed(id), await run(approval, 10)];
  },
  sleeping: () => run(nap, 50),
  pausing: async () => {
    const id = await started(wait_for_ever);
    await client.suspendWorkflow(id);
    await client.suspendWorkflow(id);
    const seen = await status(id);
    await client.raiseEvent(id, "go", 7);
    await client.resumeWorkflow(id);
    await client.resumeWorkflow(id);
    return [seen, await completed(id)];
  },
  resuming_what_runs: async () => {
    const id = await started(wait_for_ever);
    await client.resumeWorkflow(id);
    await client.raiseEvent(id, "go", 8);
    return completed(id);
  },
  terminating: async () => {
    const id = await started(wait_for_ever);
    await client.terminateWorkflow(id, "enough");
    const state = await ended(id);
    return [WorkflowRuntimeStatus[state.runtimeStatus], JSON.parse(state.serializedOutput)];
  },
  purging: async () => {
    const id = await started(chain, 1);
    await completed(id);
    const before = await status(id);
    await client.purgeWorkflow(id);
    return [before, await status(id)];
  },
  publishing: async () => {
    const id = await started(wait_for_ever);
    const waiting = await client.getWorkflowState(id, true);
    await client.raiseEvent(id, "go", null);
    const done = await ended(id);
    return [waiting, done].map((state) => state.customStatus.replaceAll('"', ""));
  },
  continuing: async () => {
    const id = await started(count_down, { left: 4, turns: 0 });
    await client.raiseEvent(id, "seen", "kept");
    return completed(id);
  },
  failing_for_good: async () => {
    const state = await ended(await started(failing, "out of stock"));
    const failure = state.workflowFailureDetails;
    return [WorkflowRuntimeStatus[state.runtimeStatus], failure.getErrorMessage()];
  },
  carrying_a_megabyte: async () => {
    const text = "x".repeat(1_000_000);
    return (await run(large, text)) === text;
  },
  reusing_an_id: async () => {
    const id = await started(wait_for_ever, undefined, "only-once");
    const refused = await client.scheduleNewWorkflow(wait_for_ever, undefined, id).then(
      () => false,
      (error) => error.message.includes("already exists"),
    );
    await client.raiseEvent(id, "go", 1);
    await completed(id);
    return [refused, await completed(await started(chain, 1, id))];
  },
  asking_for_the_unknown: () => status("nobody"),
};

async function main() {
  const workflows = [chain, fan_out, retry, unreliable_child, parent, approval, wait_for_ever];
  for (const workflow of [...workflows, nap, count_down, failing, large]) {
    runtime.registerWorkflow(workflow);
  }
  for (const activity of [add_one, succeed_at_third, fail, measure]) {
    runtime.registerActivity(activity);
  }
  await runtime.start();
  for await (const name of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { result: (await scenarios[name]()) ?? null };
    } catch (error) {
      answer = { error: error.stack };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await runtime.stop();
  await client.stop();
}

main();
