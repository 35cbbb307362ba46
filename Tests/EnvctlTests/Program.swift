/// The program as its users run it: the built binary, with a store and a folder of its own.
import ChildProcess
import EnvCore
import Foundation
import SafeFS
import SystemPackage
import Testing

/// One run's ending.
struct Outcome {
  let status: Int32
  let output: String
  let errors: String

  /// stdout as JSON.
  func json() throws -> JSON { try JSON(output) }
}

/// The binary with its surroundings.
struct Program {
  /// `scripts/build` leaves it there; `scripts/test` calls that first.
  static let path = checkout.appending(".build/release/envctl")
  static let checkout = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()

  var home: FilePath
  var folder: FilePath
  var variables: [String: String] = [:]
  /// A program and its options that run envctl, such as `unshare --net`.
  var wrapper: [String] = []

  func callAsFunction(_ arguments: String..., deadline: Duration = .seconds(300)) throws -> Outcome {
    let completion = try command(arguments).run(deadline: deadline)
    return Outcome(
      status: completion.status.code, output: String(decoding: completion.output, as: UTF8.self),
      errors: String(decoding: completion.errors, as: UTF8.self))
  }

  func command(_ arguments: [String]) throws -> Command {
    let words = wrapper + [Self.path.string] + arguments
    var environment = ProcessEnvironment.inherited
    for name in environment.keys where name.hasPrefix("ENVCTL_") { environment[name] = nil }
    environment["ENVCTL_HOME"] = home.string
    environment.merge(variables) { $1 }
    let executable = words[0].hasPrefix("/") ? FilePath(words[0]) : try Executable.find(words[0])
    var command = Command(executable, Array(words.dropFirst()), environment: environment)
    command.workingDirectory = folder
    return command
  }

  /// Writes envctl.yaml into the folder.
  func project(_ environment: String, _ more: String = "check: none\n") throws {
    try FileSystem.createDirectories(folder)
    try write("schema: 1\nenvironment: \(environment)\n" + more, to: "envctl.yaml")
  }

  func write(_ text: String, to name: String) throws {
    try FileSystem.writeAtomically(Array(text.utf8), to: folder.appending(name))
  }
}

/// Just enough JSON to look into results.
struct JSON {
  let value: Any?

  init(_ text: String) throws { value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed) }
  private init(value: Any?) { self.value = value }

  subscript(_ key: String) -> JSON { JSON(value: (value as? [String: Any])?[key]) }
  var items: [JSON] { (value as? [Any] ?? []).map { JSON(value: $0) } }
  var string: String? { value as? String }
  var bool: Bool? { value as? Bool }
  var int: Int? { value as? Int }
}

/// The environment the project ships, provisioned once for all tests that need it, in a store that later runs find again.
enum Shared {
  static let home = Program.checkout.appending(".build/envctl-tests/home")

  /// The project's folder of one test.
  static func program(_ name: String, _ more: String = "check: none\n") throws -> Program {
    let folder = Program.checkout.appending(".build/envctl-tests").appending(name)
    let program = Program(home: home, folder: folder)
    try? FileSystem.removeFile(folder.appending("envctl.lock"))
    try program.project("paddle-2.6-cpu", more)
    return program
  }
}

/// Everything below runs one after the other: the tests share two cores, and each measures or breaks something.
@Suite(.serialized)
struct EnvctlTests {}
