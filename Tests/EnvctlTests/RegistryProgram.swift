/// The program beside registries: how it is told of them, what it leaves in its store, and the comparison with umoci.
import ChildProcess
import EnvCore
import EnvStore
import Glibc
import OCI
import RegistryHarness
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension Program {
  /// A program with an empty store in `folder`, which knows no credentials and may speak to `insecure` without TLS.
  static func beside(_ insecure: String, in folder: FilePath) throws -> Program {
    let program = Program(
      home: folder.appending("home-" + FileSystem.uniqueSuffix()), folder: folder,
      variables: [
        "ENVCTL_INSECURE_REGISTRIES": insecure, "REGISTRY_AUTH_FILE": folder.appending("auth.json").string, "HOME": folder.string,
        "XDG_RUNTIME_DIR": folder.string,
      ])
    return program
  }

  /// Gives the program a password for a registry.
  func login(_ registry: String, user: String, password: String) throws {
    let encoded = try Tool.run("sh", "-c", "printf '\(user):\(password)' | openssl base64 -A").text
    try write(#"{"auths":{"\#(registry)":{"auth":"\#(encoded)"}}}"#, to: "auth.json")
  }

  /// Pulls and returns the digest that was printed.
  func pull(_ reference: String, _ more: String...) throws -> Digest {
    let outcome = try run(["image", "pull", reference] + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try Digest(parsing: outcome.output.dropLast())
  }

  func run(_ arguments: [String], deadline: Duration = .seconds(300)) throws -> Outcome {
    let completion = try command(arguments).run(deadline: deadline)
    return Outcome(
      status: completion.status.code, output: String(decoding: completion.output, as: UTF8.self),
      errors: String(decoding: completion.errors, as: UTF8.self))
  }

  /// The folders of an image's layers, which the program has unpacked already, lowest first.
  func layers(_ image: Digest) throws -> [FilePath] {
    let store = try Store(home: home)
    let stored = try #require(try store.image(image))
    let (layers, unpacked) = try store.materialise(stored)
    #expect(unpacked == 0, "pull leaves nothing to be unpacked")
    return layers.map(\.root)
  }

  /// What the store holds, as `folder/name`, of the folders that hold content.
  func contents() throws -> [String] {
    try ["blobs/sha256", "layers", "images", "tmp"].flatMap { folder in
      let path = home.appending(folder)
      return FileSystem.exists(path) ? try FileSystem.list(path).map { "\(folder)/\($0)" } : []
    }
  }

  /// Makes a run report the most memory it had resident, in KiB, in a file (getrusage(2), `ru_maxrss` of the child).
  func measuringMemory() -> (program: Program, peak: FilePath) {
    let peak = folder.appending("peak-" + FileSystem.uniqueSuffix())
    let script = """
      import resource, subprocess, sys
      status = subprocess.run(sys.argv[2:]).returncode
      open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
      sys.exit(status if status >= 0 else 128 - status)
      """
    var program = self
    program.wrapper = ["/usr/bin/python3", "-c", script, peak.string]
    return (program, peak)
  }
}

extension Tool {
  /// Copies with skopeo, between layouts and registries whose certificates nobody checks.
  static func skopeo(_ arguments: String...) throws {
    let copied = try run("skopeo", ["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"] + arguments)
    try #require(copied.status == 0, "\(copied.text)")
  }
}

/// Expects that the program's layers, mounted over one another, show what umoci unpacks from the layout.
func expectSameTree(_ program: Program, _ image: Digest, layout: FilePath, sourceLocation: SourceLocation = #_sourceLocation) throws {
  try expectSameTree(program, image, as: TreeListing.umoci(layout: layout), sourceLocation: sourceLocation)
}

func expectSameTree(_ program: Program, _ image: Digest, as theirs: [String], sourceLocation: SourceLocation = #_sourceLocation) throws {
  let ours = try TreeListing.mounted(program.layers(image))
  #expect(!ours.isEmpty, sourceLocation: sourceLocation)
  let difference = TreeListing.difference(ours: ours, theirs: theirs)
  #expect(difference.isEmpty, sourceLocation: sourceLocation)
}
