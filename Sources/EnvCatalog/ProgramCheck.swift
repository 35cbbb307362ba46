/// `check:` of `envctl.yaml` as a mapping: a training of the user's own as the measure of the environment.
import EnvCore
import StrictYAML

/// A program whose records are judged against a baseline beside `envctl.yaml`.
public struct ProgramCheck: Sendable, Equatable {
  /// The program and its arguments; it runs in `/workspace`.
  public let command: [String]
  /// The largest deviation that counts as noise, by the name of a series, metric or scores.
  public let bands: [String: Double]
  /// How long it may take.
  public let deadline: Duration

  /// What holds where the file names none: long enough for a night's training, short enough that a hang is seen the next day.
  public static let usualDeadline = Duration.seconds(12 * 3600)

  /// - Throws: `YAMLError` with line and column.
  init(_ node: YAMLNode) throws {
    let mapping = try YAMLMapping(node, allowed: ["command", "bands", "deadline"])
    let words = try mapping.required("command")
    command = try words.strings()
    guard let program = command.first, !program.isEmpty else {
      throw words.expected("a program and its arguments, such as [python3, train.py]")
    }
    guard !command.contains(where: { $0.utf8.contains(0) }) else { throw words.expected("words without NUL") }
    bands = try mapping.nonNull("bands").map(Self.bands) ?? [:]
    deadline = try mapping.nonNull("deadline").map(Self.duration) ?? Self.usualDeadline
  }

  private static func bands(_ node: YAMLNode) throws -> [String: Double] {
    var bands: [String: Double] = [:]
    for pair in try node.pairs() {
      guard let value = Double(try pair.value.string()), value.isFinite, value >= 0 else {
        throw pair.value.expected("a number from 0, such as 1e-6")
      }
      bands[pair.key] = value
    }
    return bands
  }

  /// `90s`, `30m`, `2h`.
  private static func duration(_ node: YAMLNode) throws -> Duration {
    let text = try node.string()
    let units = ["s": 1.0, "m": 60, "h": 3600]
    guard let unit = text.last.flatMap({ units[String($0)] }), let number = Double(text.dropLast()), number > 0, number * unit <= 31_536_000
    else { throw node.expected("a time such as 90s, 30m or 2h") }
    return .milliseconds(Int64(number * unit * 1000))
  }
}
