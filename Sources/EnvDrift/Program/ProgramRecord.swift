/// What a training of one's own says about itself, one JSON object a line. The protocol is described in `images/examples/README.md`.
import EnvCore

/// One line that means something to a check. A line may hold more members than these; they are kept with the run and not judged.
public enum ProgramRecord: Hashable, Sendable {
  /// `{"step": 1, "loss": 0.5, …}`: all numbers of the line besides the step, by name.
  case step(Int, values: [String: Double])
  /// `{"metric": "auc", "value": 0.71, "step": 200}`.
  case metric(String, Double, step: Int?)
  /// `{"scores": "test", "values": [0.1, …], "step": 200}`: one number for each of the same things in each run.
  case scores(String, [Double], step: Int?)
  /// `{"tensor": "data", "sha256": "…", "input": true}`; what is an input has to agree in every bit.
  case tensor(String, Digest, step: Int?, isInput: Bool)
  /// `{"hyperparameters": {…}}`, each leaf by its path.
  case hyperparameters([String: String])
  /// `{"environment": {"python": …, "packages": {…}, "variables": {…}, "threads": {…}, "cpu": {…}}}`.
  case environment([String: JSONValue])
  /// `{"steps": 200}`: how many are to come.
  case announcement(steps: Int)

  /// Reads one line's object; nil for one that says nothing of the above.
  ///
  /// - Throws: the reason, when a member that should mean something does not.
  init?(_ object: JSONValue) throws(Malformed) {
    let step = try Self.step(of: object)
    if let name = try Self.name("metric", of: object) {
      guard let value = object["value"]?.number else { throw Malformed("the metric '\(name)' has no number as its value") }
      self = .metric(name, value, step: step)
    } else if let name = try Self.name("tensor", of: object) {
      guard let text = object["sha256"]?.text, let digest = try? text.hasPrefix("sha256:") ? Digest(parsing: text) : Digest(hex: text)
      else {
        throw Malformed("the tensor '\(name)' has no sha256 of 64 hexadecimal digits")
      }
      self = .tensor(name, digest, step: step, isInput: object["input"] == .flag(true))
    } else if let name = try Self.name("scores", of: object) {
      guard case .array(let items) = object["values"], case let values = items.compactMap(\.number), values.count == items.count else {
        throw Malformed("the scores '\(name)' have no list of numbers as their values")
      }
      self = .scores(name, values, step: step)
    } else if let step, case .object(let members) = object {
      self = .step(step, values: members.compactMapValues(\.number).filter { $0.key != "step" })
    } else if let value = object["hyperparameters"] {
      self = .hyperparameters(value.leaves())
    } else if case .object(let members) = object["environment"] {
      self = .environment(members)
    } else if let count = object["steps"]?.number.flatMap({ Int(exactly: $0) }) {
      self = .announcement(steps: count)
    } else {
      return nil
    }
  }

  /// Why a line cannot be taken for what it claims to be.
  struct Malformed: Error {
    var reason: String
    init(_ reason: String) { self.reason = reason }
  }

  private static func step(of object: JSONValue) throws(Malformed) -> Int? {
    guard let value = object["step"] else { return nil }
    guard let step = value.number.flatMap({ Int(exactly: $0) }), step >= 0 else { throw Malformed("its step is not a whole number from 0") }
    return step
  }

  private static func name(_ key: String, of object: JSONValue) throws(Malformed) -> String? {
    guard let value = object[key] else { return nil }
    guard let name = value.text, !name.isEmpty else { throw Malformed("its member '\(key)' names nothing") }
    return name
  }
}
