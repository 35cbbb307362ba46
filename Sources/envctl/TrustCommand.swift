/// `envctl trust check`: who signed an image.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvFlow
import EnvTrust
import SafeFS
import SystemPackage

struct TrustCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trust", abstract: "Who vouches for an image.", subcommands: [TrustCheckCommand.self])
}

struct TrustCheckCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Find an image's signatures, verify them and print who signed.",
    discussion: """
      Keys are named with --key, or those count that the rules demand: of /etc/envctl/policy.yaml, of $ENVCTL_POLICY and of the folder's \
      envctl.yaml. cosign's signatures and Sigstore bundles that were made with a key are verified; no log or certificate authority is asked. \
      Without a valid signature it ends with status 5.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "A reference such as HOST/NAME:TAG or HOST/NAME@sha256:…, or oci:FOLDER[:TAG], oci-archive:FILE[:TAG].")
  var image: String

  @Option(name: .customLong("key"), help: "A public key in PEM that counts, instead of the rules.", completion: .file())
  var keys: [String] = []

  @Option(name: .customLong("annotation"), help: "With --key: what the signature must say: NAME=VALUE.")
  var annotations: [VariableOption] = []

  @Option(name: [.customShort("C"), .customLong("folder")], help: "The project's folder.", completion: .directory)
  var folder = "."

  func validate() throws {
    if keys.isEmpty, !annotations.isEmpty { throw ValidationError("--annotation belongs to --key; rules name their own annotations") }
  }

  func run() throws {
    let workbench = try common.workbench()
    let folder = try FileSystem.canonicalPath(FilePath(folder))
    let found = try workbench.signableImage(image, in: folder)
    let identities = keys.isEmpty ? try byRules(workbench, found, folder) : try byKeys(workbench, found)
    switch common.format {
    case .json: try Console.printJSON(TrustDocument(image: image, digest: found.index ?? found.manifest, signatures: identities))
    case .text: for identity in identities { try Console.printResult(line(identity)) }
    }
  }

  private func byKeys(_ workbench: Workbench, _ found: SignableImage) throws -> [VerifiedIdentity] {
    let values = Dictionary(annotations.map { ($0.name, $0.value) }) { $1 }
    let demand = SignatureDemand(keys: try keys.map { try TrustedKey(file: FilePath($0)) }, annotations: values)
    return try workbench.checkSignatures(of: found, demand, demandedBy: "--key")
  }

  private func byRules(_ workbench: Workbench, _ found: SignableImage, _ folder: FilePath) throws -> [VerifiedIdentity] {
    let policy = try workbench.trustPolicy(of: try ProjectFile.read(in: folder))
    let identities = try workbench.requireSignatures(of: found, by: policy)
    guard !identities.isEmpty else { throw ValidationError("no rule demands a signature of '\(image)'; name a key with --key") }
    return identities
  }

  private func line(_ identity: VerifiedIdentity) -> String {
    let claim = identity.reference.map { ", as \($0)" } ?? ""
    return "\(identity.digest) signed by \(identity.key) (\(identity.kind.rawValue)\(claim))"
  }
}

/// What `trust check --format json` prints.
private struct TrustDocument: Encodable {
  var image: String
  /// What the reference leads to: an index or a manifest.
  var digest: Digest
  var signatures: [VerifiedIdentity]
}
