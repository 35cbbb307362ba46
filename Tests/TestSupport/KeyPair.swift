/// Key pairs and signatures made by openssl(1): the second opinion on envctl's own reading of them.
import SafeFS
import SystemPackage

/// A private key in a file and its public half beside it.
public struct KeyPair: Sendable {
  /// What openssl genpkey(1) is asked for.
  public enum Algorithm: Sendable, CaseIterable {
    case p256, p384, p521, ed25519, rsa1024, rsa2048, rsa3072, x25519

    var options: [String] {
      switch self {
      case .p256: ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
      case .p384: ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]
      case .p521: ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"]
      case .ed25519: ["ED25519"]
      case .rsa1024: ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"]
      case .rsa2048: ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
      case .rsa3072: ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"]
      case .x25519: ["X25519"]
      }
    }
  }

  public let algorithm: Algorithm
  public let privateFile: FilePath
  public let publicFile: FilePath
  private let folder: FilePath

  public init(_ algorithm: Algorithm = .p256, name: String = "key", in folder: FilePath) throws {
    self.algorithm = algorithm
    self.folder = folder
    privateFile = folder.appending(name + ".pem")
    publicFile = folder.appending(name + ".pub")
    try openssl(["genpkey", "-algorithm"] + algorithm.options + ["-out", privateFile.string])
    try openssl(["pkey", "-in", privateFile.string, "-pubout", "-out", publicFile.string])
  }

  /// Signs as cosign does with such a key; `options` go to `openssl dgst`.
  public func sign(_ message: [UInt8], hash: String = "sha256", options: [String] = []) throws -> [UInt8] {
    let suffix = FileSystem.uniqueSuffix()
    let (input, output) = (folder.appending("message." + suffix), folder.appending("signature." + suffix))
    try FileSystem.writeAtomically(message, to: input)
    if algorithm == .ed25519 {
      try openssl(["pkeyutl", "-sign", "-rawin", "-inkey", privateFile.string, "-in", input.string, "-out", output.string])
    } else {
      try openssl(["dgst", "-\(hash)", "-sign", privateFile.string, "-out", output.string] + options + [input.string])
    }
    return try FileSystem.readFile(output)
  }
}

/// Runs openssl(1) and fails with what it said.
@discardableResult
public func openssl(_ arguments: [String]) throws -> String {
  let result = try Tool.run("openssl", arguments)
  guard result.status == 0 else { throw ToolFailure(text: "openssl \(arguments.joined(separator: " ")): \(result.text)") }
  return result.text
}

/// A witness that could not speak.
public struct ToolFailure: Error, CustomStringConvertible {
  let text: String
  public var description: String { text }
}
