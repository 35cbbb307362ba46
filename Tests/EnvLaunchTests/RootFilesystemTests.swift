/// Root filesystems at the edges: many layers, none, layers that are gone, mounts that cannot be.
import EnvBundle
import EnvCore
import Glibc
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvLaunch

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct RootFilesystemTests {
  @Test func hundredAndTwentyEightLayersAreOneRoot() throws {
    let fixture = try LaunchFixture()
    var layers: [FilePath] = []
    for number in 0..<126 {
      let layer = fixture.folder.appending("deep/\(String(repeating: "x", count: 60))/\(number)")
      try FileSystem.createDirectories(layer.appending("many"))
      try FileSystem.writeAtomically(Array("\(number)".utf8), to: layer.appending("many/\(number)"))
      try FileSystem.writeAtomically(Array("\(number)".utf8), to: layer.appending("many/top"))
      layers.append(layer)
    }
    try fixture.setLayersBelow(layers)
    let outcome = try fixture.script("ls /many | wc -l; cat /many/top")
    #expect(outcome.output == "127\n125")
  }

  @Test func layerThatIsGoneIsNamed() throws {
    let fixture = try LaunchFixture()
    try fixture.setLayersBelow(["/no/such/layer"])
    let outcome = try fixture.script("true")
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("/no/such/layer"))
    #expect(try fixture.leftovers() == [])
  }

  @Test func mountThatCannotBeIsTheRuntimesError() throws {
    let fixture = try LaunchFixture()
    var request = LaunchRequest(hostname: "test", command: ["true"])
    request.mounts = [BindMount(source: fixture.project.string, destination: "/etc/passwd")]
    let launcher = ContainerLauncher(home: fixture.home)
    let error = #expect(throws: LaunchError.self) {
      try launcher.run(request, image: try fixture.launchImage(), streams: .lines(output: { _ in }, errors: { _ in }))
    }
    guard case .runtime(_, "run", _, let message) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    #expect(message.contains("/etc/passwd"))
    #expect(try fixture.leftovers() == [])
  }

  @Test func linksOfTheImageDoNotLeadToTheHost() throws {
    let fixture = try LaunchFixture()
    // An image whose passwd points at the host's: below the root there is no such file, so the name is unknown.
    let layer = fixture.folder.appending("linked")
    try FileSystem.createDirectories(layer.appending("etc"))
    let secret = fixture.folder.appending("host-passwd")
    try FileSystem.writeAtomically(Array("hostuser:x:4242:4242::/:/bin/sh\n".utf8), to: secret)
    var root = try RootDirectory(layer)
    try root.makeSymlink(RelativePath("etc/passwd"), target: secret.string)
    try fixture.setLayersAbove([layer])
    let outcome = try fixture.run(["run", "--user", "hostuser", "--", "true"])
    #expect(outcome.code == 2)
    #expect(outcome.errors.contains("user 'hostuser' is not in the environment's /etc/passwd"))
  }

  @Test func ownersAndModesOfLayersAreSeen() throws {
    let fixture = try LaunchFixture()
    let layer = fixture.folder.appending("owned")
    try FileSystem.createDirectories(layer)
    var root = try RootDirectory(layer)
    _ = try root.createFile(RelativePath("owned"))
    let attributes = FileAttributes(permissions: 0o4751, uid: 1000, gid: 44, modified: 1_000_000_000)
    try root.setAttributes(RelativePath("owned"), attributes, isSymlink: false)
    try fixture.setLayersAbove([layer])
    #expect(try fixture.script("ls -ln /owned").output.hasPrefix("-rwsr-x--x    1 1000     44 "))
  }
}
