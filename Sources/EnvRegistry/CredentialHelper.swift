/// The protocol of docker's credential helpers: a program that is asked for one registry's secret over its standard streams.
import ChildProcess
import EnvCore
import SystemPackage

struct CredentialHelper {
  /// The last part of the program's name: `pass` for `docker-credential-pass`.
  let name: String
  let environment: [String: String]

  /// What the helper knows of a registry; nil when it knows nothing.
  func get(_ registry: String) throws -> Credentials? {
    let program = "docker-credential-" + name
    guard !name.contains("/"), let executable = try? Executable.find(program, path: environment["PATH"] ?? "") else {
      throw RegistryError.credentialHelperFailed(program: program, registry: registry, reason: "it is not on the PATH")
    }
    var command = Command(executable, ["get"], environment: environment)
    command.standardInput = .bytes(Array(registry.utf8))
    let completion = try command.run(output: .capture(limit: 1 << 20), deadline: .seconds(60))
    guard completion.status.isSuccess else {
      // The protocol has no status for this; all helpers print this sentence.
      let said = String(decoding: completion.output, as: UTF8.self) + completion.errorText
      if said.contains("credentials not found") { return nil }
      throw RegistryError.credentialHelperFailed(program: program, registry: registry, reason: "it ended with \(completion.status)")
    }
    struct Answer: Decodable {
      var Username: String
      var Secret: String
    }
    let answer = try CanonicalJSON.decode(Answer.self, from: completion.output, object: "the answer of \(program)")
    if answer.Username == "<token>" { return .identityToken(answer.Secret) }
    return .password(user: answer.Username, password: answer.Secret)
  }
}
