/// A training of one's own: what its lines mean, what becomes of bad ones, and the verdict.
import EnvCore
import Testing

@testable import EnvDrift

@Suite struct ProgramTests {
  private static let sound = [
    "loading data", #"{"steps":3}"#, #"{"tensor":"data","sha256":"\#(String(repeating: "d", count: 64))","input":true}"#,
    #"{"hyperparameters":{"lr":0.1,"layers":[8,4]}}"#, #"{"step":1,"loss":1.0,"lr":0.1,"seconds":0.2}"#,
    #"{"step":2,"loss":0.5,"lr":0.1,"seconds":0.3}"#, #"{"step":3,"loss":0.25,"note":"kept"}"#, #"{"metric":"auc","value":0.75,"step":3}"#,
    #"{"tensor":"weights","sha256":"sha256:\#(String(repeating: "e", count: 64))"}"#, #"{"something":"else"}"#, "{'loss': 0.5}",
  ]
  private let image: Digest
  private let baseline: ProgramBaseline

  init() throws {
    image = try digest("9")
    baseline = try ProgramBaseline(command: ["train"], image: image, host: [:], reader: .replay(stream(Self.sound)))
  }

  private func judge(_ lines: [String], bands: [String: Double] = [:], ending: String? = nil) throws(DriftError) -> ProgramVerdict {
    try ProgramComparison(with: baseline, bands: bands).judge(
      .replay(stream(lines)), command: ["train"], image: image, host: [:], failedEnding: ending)
  }

  /// The sound run with one line put in another's place.
  private func changed(_ old: String, _ new: String) -> [String] {
    Self.sound.map { $0.contains(old) ? $0.split(separator: old, omittingEmptySubsequences: false).joined(separator: new) : $0 }
  }

  @Test func records() throws {
    let reader = ProgramRunReader.replay(stream(Self.sound))
    #expect(reader.faults.isEmpty)
    #expect(reader.run.series["loss"] == .init(steps: [1, 2, 3], values: [1, 0.5, 0.25]))
    #expect(reader.run.series["lr"]?.steps == [1, 2])
    #expect(reader.run.hyperparameters == ["lr": "0.1", "layers.0": "8", "layers.1": "4"])
    #expect(reader.run.announcedSteps == 3)
    #expect(reader.run.metrics.map(\.key.description) == ["auc at step 3"])
    #expect(reader.run.tensors.map(\.isInput) == [true, false])
  }

  @Test func verdicts() throws {
    #expect(try judge(Self.sound).outcome == .identical)
    #expect(try judge(Self.sound).exitCode == .asExpected)
    // What is not a result may differ: times, learning rates, the log.
    #expect(try judge(changed(#""seconds":0.2"#, #""seconds":9"#)).outcome == .identical)
    let near = try judge(changed(#""loss":0.5,"#, #""loss":0.500001,"#))
    #expect(near.outcome == .equivalent)
    #expect(near.reading == "nothing beyond its band: loss within 2.0e-6 (band 1.0e-5)")
    let far = try judge(changed(#""loss":0.5,"#, #""loss":0.501,"#))
    #expect(far.outcome == .drift && far.exitCode == .drift)
    #expect(far.reading == "loss leaves its band at step 2 and is off by up to 2.0e-3, band 1.0e-5")
    #expect(try judge(changed(#""loss":0.5,"#, #""loss":0.501,"#), bands: ["loss": 0.01]).outcome == .equivalent)
    #expect(try judge(changed("0.75", "0.7501"), bands: ["auc": 1e-6]).outcome == .drift)
    // A number beside the loss counts once it has a band.
    #expect(try judge(changed(#""lr":0.1,"#, #""lr":0.2,"#), bands: ["lr": 1e-9]).outcome == .drift)
    #expect(try judge(changed("eeee", "abab")).outcome == .equivalent)
    let input = try judge(changed("dddd", "abab"))
    #expect(input.outcome == .drift && input.reading.hasPrefix("input data is not the baseline's"))
    let cause = try judge(changed(#"{"lr":0.1,"#, #"{"lr":0.2,"#).map { $0.replacing(#""loss":0.25"#, with: #""loss":0.3"#) })
    #expect(cause.reading.hasSuffix("; hyperparameter lr is 0.2, was 0.1"))
  }

  @Test func brokenRuns() throws {
    func broken(_ lines: [String], _ reading: String, ending: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let verdict = try judge(lines, ending: ending)
      #expect(verdict.outcome == .broken && verdict.exitCode == .failed, sourceLocation: sourceLocation)
      #expect(verdict.reading.hasPrefix(reading), "\(verdict.reading)", sourceLocation: sourceLocation)
    }
    try broken(changed("0.25", "NaN"), #"line 7 of the workload's output holds a value that is no number: {"step":3,"loss":NaN"#)
    try broken(Array(Self.sound.prefix(6)) + [#"{"step":3,"lo"#], "the workload's output broke off in line 7, after 13 bytes of it")
    try broken(Array(Self.sound.prefix(6)), "step 3: 'loss' is missing from here on")
    try broken(Self.sound.filter { !$0.contains("auc") }, "the metric 'auc at step 3' is missing")
    try broken(
      changed(#""value":0.75"#, #""value":"high""#), "line 8 of the workload's output is not a record: the metric 'auc' has no number")
    try broken(changed(#"{"step":3"#, #"{"step":2"#), "line 7 of the workload's output is not a record: step 2 comes after step 2")
    try broken(changed("eeee", "xyzz"), "line 9 of the workload's output is not a record: the tensor 'weights' has no sha256")
    try broken(["no record at all"], "the workload wrote no record")
    try broken([], "the workload wrote no record")
    try broken(
      Array(Self.sound.prefix(5)), "step 1: the training did not end within 2.0 s and was ended",
      ending: "the training did not end within 2.0 s and was ended")
    let garbage = (0..<1000).map { #"{"\#($0)"# }
    #expect(ProgramRunReader.replay(stream(garbage)).faults.count == 20)
  }

  @Test func moreThanTheBaseline() throws {
    #expect(throws: DriftError.self) { try judge(Self.sound + [#"{"step":4,"loss":0.1}"#]) }
    #expect(throws: DriftError.self) { try judge(Self.sound + [#"{"metric":"ks","value":0.1}"#]) }
    // Once a series is not judged it may be new.
    #expect(try judge(Self.sound + [#"{"step":4,"momentum":0.1}"#]).outcome == .identical)
  }

  @Test func baselineFile() throws {
    let bytes = try baseline.encoded()
    #expect(try ProgramBaseline(decoding: bytes, object: "it") == baseline)
    let text = String(decoding: bytes, as: UTF8.self)
    func decode(_ text: String) throws -> ProgramBaseline { try ProgramBaseline(decoding: Array(text.utf8), object: "it") }
    #expect(throws: DriftError.self) { try decode(text.replacing(#""schema":1"#, with: #""schema":2"#)) }
    #expect(throws: DriftError.self) { try decode(text.replacing("[1,2,3]", with: "[1,3,2]")) }
    #expect(throws: DriftError.self) { try decode(text.replacing("[1,2,3]", with: "[1,2]")) }
    #expect(throws: DriftError.self) { try decode("{}") }
    #expect(throws: DriftError.self) { try ProgramBaseline(command: [], image: image, host: [:], reader: .replay(stream(["nothing"]))) }
    #expect(throws: DriftError.self) {
      try ProgramBaseline(command: [], image: image, host: [:], reader: .replay(stream(Array(Self.sound.prefix(6)))))
    }
  }

  @Test("runs that lie apart widen the bands") func noise() throws {
    let other = ProgramRunReader.replay(stream(changed(#""loss":0.5,"#, #""loss":0.5005,"#)))
    let noisy = try ProgramBaseline(
      command: ["train"], image: image, host: [:], reader: .replay(stream(Self.sound)), repetitions: [other.run])
    #expect((noisy.noise["loss"] ?? 0) > 9e-4)
    let run = ProgramRunReader.replay(stream(changed(#""loss":0.5,"#, #""loss":0.504,"#)))
    let verdict = try ProgramComparison(with: noisy, bands: [:]).judge(run, command: ["train"], image: image, host: [:])
    #expect(verdict.outcome == .equivalent)
    #expect(try judge(changed(#""loss":0.5,"#, #""loss":0.504,"#)).outcome == .drift)
  }
}
