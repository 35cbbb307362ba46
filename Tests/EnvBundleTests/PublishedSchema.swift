/// The schema that the runtime-spec publishes, as Debian packages it, and its verdict on a `config.json`.
import EnvBundle
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

enum PublishedSchema {
  private static let package = "golang-github-opencontainers-specs-dev"
  private static let path: FilePath = "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/config-schema.json"
  /// Debian's modules are for Debian's interpreter, whichever comes first on the PATH.
  private static let python = "/usr/bin/python3"

  static let isPresent = FileSystem.exists(path) && (try? Tool.run("env", python, "-c", "import jsonschema").status) == 0

  static let capability = Capability(
    "the runtime-spec's schema and a validator", isPresent: isPresent, package: "\(package) python3-jsonschema")

  /// What the schema has against a document: the place and the rule, one line each.
  static func violations(of document: [UInt8]) throws -> [String] {
    try withTemporaryFolder { folder in
      let file = folder.appending("config.json")
      try FileSystem.writeAtomically(document, to: file)
      let outcome = try Tool.run(
        "env", python, "-W", "ignore", "-c",
        """
        import json, pathlib, sys, jsonschema
        schema = pathlib.Path(sys.argv[1])
        resolver = jsonschema.RefResolver(schema.as_uri(), json.loads(schema.read_text()))
        validator = jsonschema.Draft4Validator(resolver.referrer, resolver=resolver)
        for error in validator.iter_errors(json.load(open(sys.argv[2]))):
            print("/".join(map(str, error.absolute_path)), error.message[:200])
        """, path.string, file.string)
      try #require(outcome.status == 0, "\(outcome)")
      return outcome.text.split(separator: "\n").map(String.init)
    }
  }
}

@Suite(.needs(PublishedSchema.capability)) struct PublishedSchemaTests {
  /// Every other test of a specification asks the schema as well; this one sees to it that the schema has teeth.
  @Test(
    arguments: [
      (#"{"ociVersion": "1.0.2"}"#, 0), (#"{"ociVersion": 1}"#, 1), (#"{}"#, 1),
      (#"{"ociVersion": "1.0.2", "mounts": [{"source": "/a"}]}"#, 1),
      (#"{"ociVersion": "1.0.2", "process": {"cwd": "/", "args": "sh"}}"#, 1),
      (#"{"ociVersion": "1.0.2", "linux": {"devices": [{"type": "x", "path": "/dev/x"}], "namespaces": [{"type": "pids"}]}}"#, 2),
    ] as [(String, Int)])
  func whatItRefuses(document: String, count: Int) throws {
    #expect(try PublishedSchema.violations(of: Array(document.utf8)).count == count)
  }
}
