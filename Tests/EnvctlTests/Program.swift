/// The program as its users run it: the built binary, with a store and a folder of its own.
import ChildProcess
import EnvCore
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
  var binary = Program.path
  /// A program and its options that run envctl, such as `unshare --net`.
  var wrapper: [String] = []
  /// A process that keeps the mount namespace it runs in, where that is not the tests' own.
  var namespace: Int32?

  /// Where the tests see a file that it sees at `path`.
  func seen(_ path: FilePath) -> FilePath { namespace.map { FilePath("/proc/\($0)/root" + path.string) } ?? path }

  func callAsFunction(_ arguments: String..., deadline: Duration = .seconds(300)) throws -> Outcome {
    let completion = try command(arguments).run(deadline: deadline)
    return Outcome(
      status: completion.status.code, output: String(decoding: completion.output, as: UTF8.self),
      errors: String(decoding: completion.errors, as: UTF8.self))
  }

  func command(_ arguments: [String]) throws -> Command {
    let words = wrapper + [binary.string] + arguments
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
enum JSON: Decodable {
  case object([String: JSON])
  case array([JSON])
  case string(String)
  case number(Double)
  case bool(Bool)
  case null

  init(_ text: String) throws { self = try CanonicalJSON.decode(JSON.self, from: Array(text.utf8), object: "the program's output") }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode([String: JSON].self) {
      self = .object(value)
    } else if let value = try? container.decode([JSON].self) {
      self = .array(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else {
      self = .null
    }
  }

  subscript(_ key: String) -> JSON {
    if case .object(let members) = self { return members[key] ?? .null }
    return .null
  }

  var items: [JSON] { if case .array(let items) = self { items } else { [] } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var int: Int? { if case .number(let value) = self { Int(exactly: value) } else { nil } }
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
