/// Which images a pattern covers, and that no spelling of an image walks around it.
import EnvCore
import OCI
import SystemPackage
import Testing

@testable import EnvTrust

@Suite struct ImagePatternTests {
  static func subject(_ text: String) throws -> TrustSubject {
    text.hasPrefix("oci:") ? .layout(FilePath(String(text.dropFirst(4)))) : .registry(try ImageReference(parsing: text))
  }

  @Test(arguments: [
    ("host/team/app", "host.example/team/app", false), ("host.example/team/app", "host.example/team/app", true),
    ("host.example/team/app", "host.example/team/app:1", true),
    ("host.example/team/app", "host.example/team/app@sha256:" + String(repeating: "0", count: 64), true),
    ("host.example/team/app", "host.example/team/app/more", false), ("host.example/team/app", "host.example/team/application", false),
    ("host.example/team/*", "host.example/team/app", true), ("host.example/team/*", "host.example/team/app/more", false),
    ("host.example/team/*", "host.example/team", false), ("host.example/team/**", "host.example/team/app/more", true),
    ("host.example/team/**", "host.example/team", false), ("host.example/team/**", "host.example/teams/app", false),
    ("host.example/**", "host.example/x", true), ("host.example/**", "host.example:5000/x", false),
    ("host.example:5000/**", "host.example:5000/x", true), ("**", "host.example/x", true), ("**", "debian", true),
    ("**", "oci:/srv/image", true), ("debian", "docker.io/library/debian:12", true), ("docker.io/library/*", "debian", true),
    ("docker.io/**", "index.docker.io/library/debian", true), ("paddlepaddle/*", "docker.io/paddlepaddle/paddle", true),
    ("HOST.example/team/app", "host.EXAMPLE/team/app", true), ("host.example/team/app", "host.example:443/team/app", true),
    ("host.example:443/**", "host.example/x", true), ("localhost/**", "localhost/x", true), ("localhost/**", "LocalHost/x", true),
    ("debian", "Registry-1.docker.io/library/debian", true), ("debian", "INDEX.docker.io/library/debian", true),
    ("debian", "registry-1.docker.io:443/library/debian", true), ("debian", "index.docker.io:443/debian", true),
    ("debian", "docker.io:443/debian", true), ("debian", "docker.io:5000/library/debian", false),
    ("[2001:db8::1]:5000/**", "[2001:0DB8:0:0:0:0:0:1]:5000/x", true), ("127.0.0.1:5000/**", "127.0.0.1:5000/x", true),
    ("oci:/srv/**", "oci:/srv/images/a", true), ("oci:/srv/**", "oci:/srv/../etc/a", false), ("oci:/srv/*", "oci:/srv/./a/", true),
    ("oci:/srv/a", "oci:/srv/a", true), ("oci:a", "oci:/project/a", true), ("oci:../a", "oci:/a", true), ("oci:**", "oci:/project/x", true),
    ("oci:/**", "oci:/x", true), ("oci-archive:/srv/a.tar", "oci:/srv/a.tar", true), ("oci:/srv/**", "host.example/srv/a", false),
    ("host.example/**", "oci:/host.example/a", false),
  ])
  func covers(_ pattern: String, _ image: String, _ expected: Bool) throws {
    #expect(try ImagePattern(parsing: pattern, folder: "/project").matches(Self.subject(image)) == expected)
  }

  @Test(arguments: [
    "", "*", "/**", "host.example/*/app", "host.example/te*m/app", "host.example/team/**/app", "host.example/team/app:1", "***", "a/***",
    "host.example/team/app:*", "host.example/app@sha256:" + String(repeating: "0", count: 64), "Host/App", "a b/**", "oci:/srv/*/x",
    "host.example:1/team/app:tag",
  ])
  func refused(_ pattern: String) {
    let error = #expect(throws: TrustError.self) { try ImagePattern(parsing: pattern, folder: "/project") }
    guard case .malformedPattern(pattern, _, _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
    #expect(error?.exitCode == .usage)
  }

  @Test(
    "one address has one spelling",
    arguments: [
      "reg.example:0443", "reg.example:+443", "reg.example:00000443", "reg.example:0", "reg.example:65536", "reg.example:",
      "reg.example:4a",
      "127.1", "2130706433:5000", "0x7f000001:5000", "0x7F.1", "127.0.0.01", "127.0.0.256", "1.2.3.4.5", "017700000001:80", "0x:1",
      "reg.example.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1", "[::1]5000", "[::1]:0443", "[1::2::3]", "[:::]",
      "[1:2:3:4:5:6:7:8:9]",
      "[00001::]", "[fe80::1%25eth0]", "HOST",
    ])
  func refusedHosts(_ host: String) {
    #expect(throws: ImageReferenceError.self) { try ImageReference(parsing: host + "/library/debian") }
  }

  @Test(
    "a reference parses back to itself",
    arguments: [
      ("REG.example:5000/a", "reg.example:5000/a"), ("reg.example:443/a", "reg.example:443/a"), ("[0:0::1]/a", "[::1]/a"),
      ("[1:0:0:2:0:0:0:3]:80/a", "[1:0:0:2::3]:80/a"), ("[::]/a", "[::]/a"), ("[1::]/a", "[1::]/a"),
      ("[1:2:3:4:5:6:0:8]/a", "[1:2:3:4:5:6:0:8]/a"),
      ("LOCALHOST/a", "localhost/a"), ("index.docker.io:443/a", "docker.io/library/a"), ("0x7f000001/a", "docker.io/0x7f000001/a"),
    ])
  func canonical(_ text: String, _ expected: String) throws {
    let reference = try ImageReference(parsing: text)
    #expect(reference.description == expected)
    #expect(try ImageReference(parsing: expected) == reference)
  }

  @Test func specificity() throws {
    let order = ["**", "host.example/**", "host.example/a/**", "host.example/a/*", "host.example/a/b/**", "host.example/a/b"]
    let patterns = try order.map { try ImagePattern(parsing: $0, folder: "/") }
    for (index, pattern) in patterns.enumerated() {
      for (other, wider) in patterns.enumerated() { #expect(pattern.isMoreSpecific(than: wider) == (index > other), "\(pattern) \(wider)") }
    }
  }
}
