/// The resolvers as they are, apt and pip, on repositories made for the test.
import ChildProcess
import EnvCore
import HTTP
import Hashing
import LoopbackHTTP
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvImage

private let pip: Capability = {
  let version = (try? Executable.find("python3")).flatMap { try? Command($0, ["-m", "pip", "--version"]).runSuccessfully() }
  return Capability("pip of python3", isPresent: version != nil, package: "python3-pip")
}()

@Suite(.needs(.tool("apt-get", package: "apt"))) struct DebianResolverTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let packages = """
    Package: tool
    Version: 1.0-1
    Architecture: amd64
    Depends: common (>= 1)
    Recommends: extra
    Filename: pool/main/t/tool_1.0-1_amd64.deb
    Size: 11
    SHA256: \(Digest.sha256(of: [1]).hex)

    Package: common
    Version: 2:1.5
    Architecture: all
    Filename: pool/main/c/common_1.5_all.deb
    Size: 12
    SHA256: \(Digest.sha256(of: [2]).hex)

    Package: extra
    Version: 3
    Architecture: amd64
    Depends: common, tool
    Filename: pool/main/e/extra_3_amd64.deb
    Size: 13
    SHA256: \(Digest.sha256(of: [3]).hex)

    """

  /// A repository of the suite `bookworm` on disk.
  private func origins() throws -> DebianOrigins {
    let index = Array(Self.packages.utf8)
    try folder.write("repo/dists/bookworm/main/binary-amd64/Packages", index)
    let release = """
      Suite: oldstable
      Codename: bookworm
      Architectures: amd64
      Components: main
      SHA256:
       \(Digest.sha256(of: index).hex) \(index.count) main/binary-amd64/Packages

      """
    try folder.write("repo/dists/bookworm/Release", Array(release.utf8))
    return DebianOrigins(sources: [AptSource(uri: "file:\(folder.path)/repo", suite: "bookworm", components: ["main"], isTrusted: true)])
  }

  private func resolve(_ layers: [Recipe.Debian.Layer]) throws -> [RecipeLock.DebianPin] {
    let resolver = DebianResolver(folder: folder.path.appending("apt"), architecture: "amd64")
    return try resolver.resolve(Recipe.Debian(suite: "bookworm", layers: layers), origins())
  }

  @Test func dependenciesLandInTheFirstLayerThatNeedsThem() throws {
    let pins = try resolve([.init(name: "base", packages: ["tool"]), .init(name: "more", packages: ["extra"])])
    #expect(pins.map(\.package) == ["common", "tool", "extra"])
    #expect(pins.map(\.layer) == ["base", "base", "more"])
    #expect(
      pins[0]
        == RecipeLock.DebianPin(
          package: "common", version: "2:1.5", architecture: "all", size: 12, sha256: .sha256(of: [2]),
          path: "pool/main/c/common_1.5_all.deb", layer: "base"))
  }

  @Test func recommendationsAreLeftOut() throws {
    #expect(try resolve([.init(name: "base", packages: ["tool"])]).map(\.package) == ["common", "tool"])
  }

  @Test func whatAptSaysOfAnUnknownPackageIsTold() throws {
    let error = #expect(throws: ProcessError.self) { try resolve([.init(name: "base", packages: ["no-such-package"])]) }
    #expect(error?.summary.contains("no-such-package") == true)
  }

  @Test func aSuiteThatIsNotThereIsAnError() throws {
    let origins = try origins()
    let resolver = DebianResolver(folder: folder.path.appending("apt"), architecture: "amd64")
    let debian = Recipe.Debian(suite: "trixie", layers: [.init(name: "base", packages: ["tool"])])
    #expect(throws: ProcessError.self) { try resolver.resolve(debian, origins) }
  }
}

@Suite(.needs(pip)) struct PythonResolverTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private struct Release: Sendable {
    var wheel: WheelBuilder
    var published: String?
  }

  private static let releases: [Release] = [
    Release(wheel: WheelBuilder(name: "thing", version: "1.0", requirements: ["dep"]), published: "2024-10-01T00:00:00Z"),
    Release(wheel: WheelBuilder(name: "thing", version: "2.0", requirements: ["dep"]), published: "2024-10-15T00:00:00Z"),
    Release(wheel: WheelBuilder(name: "dep", version: "1.0"), published: "2020-01-01T00:00:00Z"),
    Release(wheel: WheelBuilder(name: "dep", version: "1.9"), published: "2025-01-01T00:00:00Z"),
    Release(wheel: WheelBuilder(name: "undated", version: "1.0"), published: nil),
  ]

  /// An index with pages in JSON and the wheels themselves.
  private func serving(_ body: (IndexClient) throws -> Void) throws {
    let releases = Self.releases
    let server = try LoopbackServer { path, _ in
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      if let release = releases.first(where: { $0.wheel.filename == name }) { return .ok(release.wheel.build()) }
      let entries = releases.filter { $0.wheel.name == name }.map { release in
        let bytes = release.wheel.build()
        let time = release.published.map { ", \"upload-time\": \"\($0)\"" } ?? ""
        let file = release.wheel.filename
        return
          "{\"filename\": \"\(file)\", \"url\": \"/files/\(file)\", \"hashes\": {\"sha256\": \"\(Digest.sha256(of: bytes).hex)\"}\(time)}"
      }
      guard !entries.isEmpty else { return .ok([], status: "404 Not Found") }
      let page = "{\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"\(name)\", \"files\": [\(entries.joined(separator: ", "))]}"
      return .ok(Array(page.utf8), headers: ["Content-Type: application/vnd.pypi.simple.v1+json"])
    }
    defer { server.stop() }
    try body(IndexClient(indexes: [server.url("/simple")], client: HTTPClient()))
  }

  private func resolve(_ requirements: [String], _ index: IndexClient) throws -> [RecipeLock.WheelPin] {
    let before = try #require(Timestamp(parsing: "2024-10-15"))
    let resolver = PythonResolver(folder: folder.path, index: index) { _, _ in 77 }
    return try resolver.resolve(
      Recipe.Python(version: "3.11", requirements: requirements, before: before), platform: Platform(os: "linux", architecture: "amd64"),
      glibcMinor: 36)
  }

  @Test func nothingPublishedOnOrAfterTheDateIsChosen() throws {
    try serving { index in
      let pins = try resolve(["thing"], index)
      let wheels = [Self.releases[2].wheel, Self.releases[0].wheel]
      let expected = wheels.map { wheel in
        RecipeLock.WheelPin(
          project: wheel.name, version: wheel.version, filename: wheel.filename, size: 77, sha256: .sha256(of: wheel.build()))
      }
      #expect(pins == expected)
    }
  }

  @Test func aRequirementThatOnlySomethingNewMeetsIsPipsToRefuse() throws {
    try serving { index in
      let error = #expect(throws: ProcessError.self) { try resolve(["thing>=2"], index) }
      #expect(error?.summary.contains("thing") == true)
    }
  }

  @Test func anIndexWithoutDatesCannotBeCutOff() throws {
    try serving { index in
      let error = #expect(throws: ImageError.self) { try resolve(["undated"], index) }
      guard case .nothingOldEnough("undated", _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
    }
  }

  @Test func platformTagsReachFromTheImagesGlibcDown() {
    let tags = PythonResolver.platformTags(Platform(os: "linux", architecture: "arm64"), glibcMinor: 18)
    #expect(tags == ["manylinux_2_18_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"])
  }
}
