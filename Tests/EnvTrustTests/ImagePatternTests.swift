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
    ("host.example:443/**", "host.example/x", true), ("localhost/**", "localhost/x", true),
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

  @Test func specificity() throws {
    let order = ["**", "host.example/**", "host.example/a/**", "host.example/a/*", "host.example/a/b/**", "host.example/a/b"]
    let patterns = try order.map { try ImagePattern(parsing: $0, folder: "/") }
    for (index, pattern) in patterns.enumerated() {
      for (other, wider) in patterns.enumerated() { #expect(pattern.isMoreSpecific(than: wider) == (index > other), "\(pattern) \(wider)") }
    }
  }
}
