/// The Python file that users copy, and the example that needs numpy only: what they write is what envctl reads.
import EnvCore
import EnvDrift
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.needs(.tool("python3"))) struct ExampleTests {
  private static let examples = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    .appending("images/examples")

  /// Runs Python with the examples as its folder. The distribution's Python is the one numpy was installed for.
  private func python(_ arguments: String) throws -> ProgramRunReader {
    let script = "cd '\(Self.examples)' && PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 \(arguments)"
    let output = try Tool.run("sh", "-c", script)
    try #require(output.status == 0, "\(output.text)")
    return .replay(Array(output.text.utf8))
  }

  @Test func numpyExample() throws {
    let image = try Digest(hex: String(repeating: "a", count: 64))
    let first = try python("numpy_train.py")
    #expect(first.faults.isEmpty)
    #expect(first.run.series["loss"]?.steps == Array(1...40))
    #expect(first.run.metrics.map(\.key.name) == ["accuracy"] && first.run.scores.map(\.values.count) == [64])
    #expect(first.run.tensors.map(\.isInput) == [true, false])
    let baseline = try ProgramBaseline(command: ["x"], image: image, host: [:], reader: first)
    let again = try ProgramComparison(with: baseline, bands: [:]).judge(
      try python("numpy_train.py"), command: ["x"], image: image, host: [:])
    #expect(again.outcome == .identical)
    let other = try ProgramComparison(with: baseline, bands: [:]).judge(
      try python("-c 'text = open(\"numpy_train.py\").read(); exec(text.replace(\"0.5, 40\", \"0.51, 40\"))'"), command: ["x"],
      image: image,
      host: [:])
    #expect(other.outcome == .drift && other.reading.hasSuffix("; hyperparameter rate is 0.51, was 0.5"), "\(other.reading)")
  }

  @Test func helper() throws {
    let script = """
      import envctl_record as record, numpy as np
      record.step(1, loss=np.float32(0.5), rate=1)
      record.metric("a \\"b\\"", np.array(2.0), step=1)
      record.tensor("t", {"b": np.zeros(2), "a": b"x"})
      record.tensor("u", {"a": b"x", "b": np.zeros(2)})
      record.tensor("v", {"a": b"x", "b": np.zeros(2, "float32")})
      record.scores("s", np.eye(2))
      record.step(2, loss=float("nan"))
      """
    let reader = try python("-c '\(script)'")
    #expect(reader.run.series["loss"]?.values == [0.5] && reader.run.series["rate"]?.values == [1])
    #expect(reader.run.metrics.map(\.key.description) == ["a \"b\" at step 1"])
    #expect(reader.run.tensors[0].digest == reader.run.tensors[1].digest && reader.run.tensors[1].digest != reader.run.tensors[2].digest)
    #expect(reader.run.scores.map(\.values) == [[1, 0, 0, 1]])
    #expect(reader.faults.map(\.summary) == [#"line 7 of the workload's output holds a value that is no number: {"step": 2, "loss": NaN}"#])
  }
}
