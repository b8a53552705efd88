package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.dapr.durabletask.Task;
import io.dapr.workflows.Workflow;
import io.dapr.workflows.WorkflowActivity;
import io.dapr.workflows.WorkflowActivityContext;
import io.dapr.workflows.WorkflowStub;
import io.dapr.workflows.WorkflowTaskOptions;
import io.dapr.workflows.WorkflowTaskRetryPolicy;
import io.dapr.workflows.client.DaprWorkflowClient;
import io.dapr.workflows.client.WorkflowRuntimeStatus;
import io.dapr.workflows.client.WorkflowState;
import io.dapr.workflows.runtime.WorkflowRuntime;
import io.dapr.workflows.runtime.WorkflowRuntimeBuilder;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * An ordinary application of Dapr's Java workflow SDK; it knows nothing of Flowyard.
 *
 * <p>Each line of its input names a scenario, and each line of its output tells as JSON how that
 * went.
 */
public final class App {
  private static final Map<String, Integer> ATTEMPTS = new ConcurrentHashMap<>();
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final WorkflowTaskOptions RETRY =
      new WorkflowTaskOptions(
          WorkflowTaskRetryPolicy.newBuilder()
              .setFirstRetryInterval(Duration.ofMillis(10))
              .setMaxNumberOfAttempts(4)
              .setBackoffCoefficient(1.0)
              .build());

  private static DaprWorkflowClient client;

  public static class AddOne implements WorkflowActivity {
    @Override
    public Object run(WorkflowActivityContext ctx) {
      return ctx.getInput(Integer.class) + 1;
    }
  }

  public static class SucceedAtThird implements WorkflowActivity {
    @Override
    public Object run(WorkflowActivityContext ctx) {
      String key = ctx.getInput(String.class);
      int attempt = ATTEMPTS.merge(key, 1, Integer::sum);
      if (attempt < 3) {
        throw new IllegalStateException("attempt " + attempt + " of " + key + " fails");
      }
      return attempt;
    }
  }

  public static class Fail implements WorkflowActivity {
    @Override
    public Object run(WorkflowActivityContext ctx) {
      throw new IllegalStateException(ctx.getInput(String.class));
    }
  }

  public static class Measure implements WorkflowActivity {
    @Override
    public Object run(WorkflowActivityContext ctx) {
      return ctx.getInput(String.class).length();
    }
  }

  public static class Chain implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        int number = ctx.getInput(Integer.class);
        for (int step = 0; step < 3; step++) {
          number = ctx.callActivity(AddOne.class.getCanonicalName(), number, Integer.class).await();
        }
        ctx.complete(number);
      };
    }
  }

  public static class FanOut implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        List<Task<Integer>> tasks = new ArrayList<>();
        for (int one = 1; one <= ctx.getInput(Integer.class); one++) {
          tasks.add(ctx.callActivity(AddOne.class.getCanonicalName(), one, Integer.class));
        }
        ctx.complete(ctx.allOf(tasks).await().stream().mapToInt(Integer::intValue).sum());
      };
    }
  }

  public static class Retry implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx ->
          ctx.complete(
              ctx.callActivity(
                      SucceedAtThird.class.getCanonicalName(),
                      ctx.getInput(String.class),
                      RETRY,
                      Integer.class)
                  .await());
    }
  }

  public static class UnreliableChild implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx ->
          ctx.complete(
              ctx.callActivity(
                      SucceedAtThird.class.getCanonicalName(), ctx.getInput(String.class), Integer.class)
                  .await());
    }
  }

  public static class Parent implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        int plain = ctx.callChildWorkflow(Chain.class.getCanonicalName(), 1, Integer.class).await();
        int retried =
            ctx.callChildWorkflow(
                    UnreliableChild.class.getCanonicalName(),
                    ctx.getInput(String.class),
                    null,
                    RETRY,
                    Integer.class)
                .await();
        ctx.complete(List.of(plain, retried));
      };
    }
  }

  public static class Approval implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        Task<Map> event = ctx.waitForExternalEvent("approved", Map.class);
        Task<Void> timeout = ctx.createTimer(Duration.ofMillis(ctx.getInput(Integer.class)));
        Task<?> winner = ctx.anyOf(event, timeout).await();
        ctx.complete(winner == event ? event.await() : "too late");
      };
    }
  }

  public static class WaitForEver implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> ctx.complete(ctx.waitForExternalEvent("go", Integer.class).await());
    }
  }

  public static class Nap implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        Instant before = ctx.getCurrentInstant();
        Duration nap = Duration.ofMillis(ctx.getInput(Integer.class));
        ctx.createTimer(nap).await();
        Duration slept = Duration.between(before, ctx.getCurrentInstant());
        ctx.complete(slept.compareTo(nap) >= 0);
      };
    }
  }

  public static class CountDown implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        int[] state = ctx.getInput(int[].class);
        if (state[0] == 0) {
          String seen = ctx.waitForExternalEvent("seen", String.class).await();
          ctx.complete(List.of(state[1], seen));
          return;
        }
        ctx.callActivity(AddOne.class.getCanonicalName(), 1, Integer.class).await();
        ctx.continueAsNew(new int[] {state[0] - 1, state[1] + 1}, true);
      };
    }
  }

  public static class Failing implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx ->
          ctx.callActivity(Fail.class.getCanonicalName(), ctx.getInput(String.class), Void.class).await();
    }
  }

  public static class Large implements Workflow {
    @Override
    public WorkflowStub create() {
      return ctx -> {
        String text = ctx.getInput(String.class);
        int length = ctx.callActivity(Measure.class.getCanonicalName(), text, Integer.class).await();
        ctx.complete(length == text.length() ? text : "");
      };
    }
  }

  private static WorkflowState ended(String id) throws Exception {
    return client.waitForWorkflowCompletion(id, PATIENCE, true);
  }

  private static <T> T completed(String id, Class<T> type) throws Exception {
    WorkflowState state = ended(id);
    if (state.getRuntimeStatus() != WorkflowRuntimeStatus.COMPLETED) {
      throw new IllegalStateException(id + " is " + state);
    }
    return state.readOutputAs(type);
  }

  private static String started(Class<? extends Workflow> workflow, Object input)
      throws Exception {
    String id = client.scheduleNewWorkflow(workflow, input);
    client.waitForWorkflowStart(id, PATIENCE, false);
    return id;
  }

  private static <T> T run(Class<? extends Workflow> workflow, Object input, Class<T> type)
      throws Exception {
    return completed(client.scheduleNewWorkflow(workflow, input), type);
  }

  private static String status(String id) {
    // Of an unknown instance, the SDK gives a state without a name.
    WorkflowState state = client.getWorkflowState(id, false);
    return state.getName().isEmpty() ? null : state.getRuntimeStatus().name();
  }

  private static Object play(String scenario) throws Exception {
    switch (scenario) {
      case "chaining":
        return run(Chain.class, 1, Integer.class);
      case "fanning_out":
        return run(FanOut.class, 20, Integer.class);
      case "retrying":
        return run(Retry.class, "activity", Integer.class);
      case "nesting":
        return run(Parent.class, "child", List.class);
      case "approving": {
        String id = started(Approval.class, 60_000);
        client.raiseEvent(id, "approved", Map.of("by", "Ann"));
        return List.of(completed(id, Map.class), run(Approval.class, 10, String.class));
      }
      case "sleeping":
        return run(Nap.class, 50, Boolean.class);
      case "pausing": {
        String id = started(WaitForEver.class, null);
        client.suspendWorkflow(id, "a break");
        client.suspendWorkflow(id, "a break");
        String seen = status(id);
        client.raiseEvent(id, "go", 7);
        client.resumeWorkflow(id, "go on");
        client.resumeWorkflow(id, "go on");
        return List.of(seen, completed(id, Integer.class));
      }
      case "resuming_what_runs": {
        String id = started(WaitForEver.class, null);
        client.resumeWorkflow(id, "go on");
        client.raiseEvent(id, "go", 8);
        return completed(id, Integer.class);
      }
      case "terminating": {
        String id = started(WaitForEver.class, null);
        client.terminateWorkflow(id, "enough");
        WorkflowState state = ended(id);
        return List.of(state.getRuntimeStatus().name(), state.readOutputAs(String.class));
      }
      case "purging": {
        String id = started(Chain.class, 1);
        completed(id, Integer.class);
        String before = status(id);
        client.purgeWorkflow(id);
        return Arrays.asList(before, status(id));
      }
      case "continuing": {
        String id = started(CountDown.class, new int[] {4, 0});
        client.raiseEvent(id, "seen", "kept");
        return completed(id, List.class);
      }
      case "failing_for_good": {
        WorkflowState state = ended(started(Failing.class, "out of stock"));
        String message = state.getFailureDetails().getErrorMessage();
        return List.of(state.getRuntimeStatus().name(), message);
      }
      case "carrying_a_megabyte": {
        String text = "x".repeat(1_000_000);
        return run(Large.class, text, String.class).equals(text);
      }
      case "reusing_an_id": {
        client.scheduleNewWorkflow(WaitForEver.class, null, "only-once");
        boolean refused = false;
        try {
          client.scheduleNewWorkflow(WaitForEver.class, null, "only-once");
        } catch (RuntimeException error) {
          refused = error.getMessage().contains("already exists");
        }
        client.raiseEvent("only-once", "go", 1);
        completed("only-once", Integer.class);
        client.scheduleNewWorkflow(Chain.class, 1, "only-once");
        return List.of(refused, completed("only-once", Integer.class));
      }
      case "asking_for_the_unknown":
        return status("nobody");
      default:
        throw new IllegalArgumentException(scenario);
    }
  }

  public static void main(String[] arguments) throws Exception {
    // Loggers of the SDK write to the standard output, too.
    PrintStream out = System.out;
    System.setOut(System.err);
    WorkflowRuntimeBuilder builder = new WorkflowRuntimeBuilder();
    List<Class<? extends Workflow>> workflows =
        List.of(
            Chain.class,
            FanOut.class,
            Retry.class,
            UnreliableChild.class,
            Parent.class,
            Approval.class,
            WaitForEver.class,
            Nap.class,
            CountDown.class,
            Failing.class,
            Large.class);
    for (Class<? extends Workflow> workflow : workflows) {
      builder.registerWorkflow(workflow);
    }
    builder.registerActivity(AddOne.class);
    builder.registerActivity(SucceedAtThird.class);
    builder.registerActivity(Fail.class);
    builder.registerActivity(Measure.class);
    WorkflowRuntime runtime = builder.build();
    runtime.start(false);
    client = new DaprWorkflowClient();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> answer = new HashMap<>();
      try {
        answer.put("result", play(line));
      } catch (Exception | AssertionError error) {
        error.printStackTrace();
        answer.put("error", error.toString());
      }
      out.println(JSON.writeValueAsString(answer));
    }
    client.close();
    // Closing the runtime would wait a minute for a stream that has no end.
    System.exit(0);
  }
}
