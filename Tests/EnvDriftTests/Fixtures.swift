/// Small runs built in code: six steps, evaluations after the third and the sixth, four test applications.
import EnvCore
import EnvDrift
import Hashing

/// A digest told apart by one digit.
func digest(_ digit: Character) throws -> Digest { try Digest(hex: String(repeating: digit, count: 64)) }

/// One precision's training as text, with everything a test may want to change.
struct FakeTraining {
  var precision = Precision.float64
  var schema = 1
  var version = "1.0.0"
  var steps = 6
  var evaluations = [3, 6]
  var data: Character = "d"
  var weights: Character = "a"
  var masks: Character = "b"
  var order: Character = "c"
  var learningRate = "0.003"
  var seed = 5
  var packages = ["numpy": "1.26.4", "paddlepaddle": "2.6.2"]
  var threads = "1"
  var cpu = "A CPU"
  var flags = ["avx", "avx2"]
  var variables: [String: String] = [:]
  /// Shared objects by path, told apart by one digit.
  var libraries: [String: Character] = ["/usr/lib/libm.so.6": "e"]
  var preloaded: [String] = []
  /// Contents of packages, told apart by one digit.
  var contents: [String: Character] = [:]
  /// The operators' mean errors; the largest error is twice that, and the bits follow from both.
  var operators: [String: Double] = [:]
  /// The inference engine's deviations by configuration; a negative one is a refusal.
  var inferences: [String: Double] = [:]
  /// Added to the loss of a step.
  var lossOffset: [Int: Double] = [:]
  /// Added to the second score of an evaluation.
  var scoreOffset: [Int: Double] = [:]
  /// Added to the gradient norm of a step.
  var normOffset: [Int: Double] = [:]
  var scores = [0.125, 0.5, 0.25, 0.75]

  var header: String {
    let names = packages.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
    return """
      {"record":"run","precision":"\(precision)","schema":\(schema),"workload":"riskmodel","version":"\(version)",\
      "profile":"\(steps == 6 ? "full" : "quick")","steps":\(steps),"parameters":10,"seeds":{"data":\(seed)},\
      "data":\(digests("months", data)),"weights":\(digests("fusion.score.weight", weights)),\
      "hyperparameters":{"optimizer":"Adam","learning_rate":\(learningRate),"epsilon":null},\
      "environment":{"python":"3.11.2","packages":{\(names)},"libraries":\(object(libraries) { "\"sha256:\(text($0))\"" }),\
      "preloaded":[\(preloaded.map { "\"\($0)\"" }.joined(separator: ","))],"installed":\(installed),\
      "platform":{"machine":"x86_64","kernel":"6.1.0","libc":"glibc 2.36"},\
      "cpu":{"model":"\(cpu)","flags":[\(flags.map { "\"\($0)\"" }.joined(separator: ","))],"flags_digest":"sha256:\(text("f"))"},\
      "threads":{"openmp":\(threads),"mkl":null},"variables":\(allVariables),"cleared":{}},"planted":[]}
      """
  }

  private var allVariables: String {
    object(variables.merging(["OMP_NUM_THREADS": threads]) { given, _ in given }) { "\"\($0)\"" }
  }

  private var installed: String {
    object(contents) { digit in
      let roots = #"["paddle"]"#
      return #"{"version":"2.6.2","files":10,"altered":[],"missing":[],"roots":\#(roots),"digest":"sha256:\#(text(digit))"}"#
    }
  }

  private func object<Value>(_ members: [String: Value], _ text: (Value) -> String) -> String {
    "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\(text($0.value))" }.joined(separator: ",") + "}"
  }

  private var operatorLines: [String] {
    operators.sorted { $0.key < $1.key }.map { name, mean in
      let bits = Digest.sha256(of: Array("\(name) \(mean)".utf8))
      return """
        {"record":"operator","precision":"\(precision)","operator":"\(name)","elements":100,"not_finite":0,"max":\(mean * 2),\
        "p99":\(mean),"p50":\(mean),"mean":\(mean),"bias":0.0,"histogram":[100],"digest":"\(bits)"}
        """
    }
  }

  private var inferenceLines: [String] {
    inferences.sorted { $0.key < $1.key }.map { name, deviation in
      let start = #"{"record":"inference","precision":"\#(precision)","configuration":"\#(name)","#
      if deviation < 0 { return start + #""error":"RuntimeError: refused"}"# }
      let bits = Digest.sha256(of: Array("\(name) \(deviation)".utf8))
      return start + #""digest":"\#(bits)","deviation":\#(deviation),"p50_seconds":0.01,"relative":{"p50_seconds":0.5}}"#
    }
  }

  func step(_ step: Int) -> String {
    let loss = 1.0 / Double(step) + (lossOffset[step] ?? 0)
    let norm = 0.5 + (normOffset[step] ?? 0)
    return """
      {"record":"step","precision":"\(precision)","step":\(step),"loss":\(loss),"bce":0.5,"ctc":0.25,\
      "gradient_norm":\(norm),"seconds":0.1}
      """
  }

  func evaluation(_ step: Int) -> String {
    var scores = scores
    scores[1] += scoreOffset[step] ?? 0
    return """
      {"record":"evaluation","precision":"\(precision)","step":\(step),"auc":0.75,"ks":0.5,"amounts_exact":0.0,\
      "scores":[\(scores.map { "\($0)" }.joined(separator: ","))],"weights":{"digest":"sha256:\(text("1"))"},\
      "masks":{"digest":"sha256:\(text(masks))"},"order":{"digest":"sha256:\(text(order))"},\
      "contributions":[{"application":3,"score":0.75,"parts":{"text":0.25,"declared":-0.125}}]}
      """
  }

  var end: String { #"{"record":"end","precision":"\#(precision)","seconds":1.5,"peak_memory_bytes":1000}"# }

  var lines: [String] {
    var lines = [header] + operatorLines
    for number in 1..<(steps + 1) {
      lines.append(step(number))
      if evaluations.contains(number) { lines.append(evaluation(number)) }
    }
    return lines + inferenceLines + [end]
  }

  private func text(_ digit: Character) -> String { String(repeating: digit, count: 64) }

  private func digests(_ name: String, _ digit: Character) -> String {
    #"{"digest":"sha256:\#(text(digit))","tensors":{"\#(name)":"sha256:\#(text(digit))","same":"sha256:\#(text("0"))"}}"#
  }
}

/// Both precisions, each changed as asked.
func lines(
  float32: (inout FakeTraining) -> Void = { _ in }, float64: (inout FakeTraining) -> Void = { _ in }
) -> [String] {
  var single = FakeTraining(precision: .float32)
  var double = FakeTraining(precision: .float64)
  float32(&single)
  float64(&double)
  return single.lines + double.lines
}

/// The stream these lines make, every line ended.
func stream(_ lines: [String]) -> [UInt8] { Array(lines.map { $0 + "\n" }.joined().utf8) }

/// What is observed of a stream, faults included.
func observe(_ bytes: [UInt8]) -> Observation {
  var reader = ObservationReader()
  _ = try? reader.read(bytes)
  try? reader.finish()
  return reader.observation
}

func observe(_ lines: [String]) -> Observation { observe(stream(lines)) }

/// A baseline of the unchanged run, or of one changed in both precisions, with a wide float32 band.
func baseline(_ change: (inout FakeTraining) -> Void = { _ in }) throws -> Baseline {
  try Baseline(
    name: "test", image: try digest("9"), observation: observe(lines(float32: change, float64: change)),
    bands: [.float32: Band(loss: 1e-6, score: 1e-5), .float64: .rounding])
}
