/// kill -9 at random moments, and two commands at once: the next run succeeds and the store is clean.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.serialized, .needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct InterruptionTests {
    /// From nothing: packages are fetched, the image is assembled, unpacked and launched; then the same from what is there.
    @Test func killedAtRandomMoments() throws {
      try withTemporaryFolder { folder in
        let program = try SmallRecipe.program(in: folder)
        defer { _ = try? program("down", "--grace", "0") }
        let clock = ContinuousClock()
        let whole = try clock.measure { try #require(program("up").status == 0) }
        for round in 1...10 {
          _ = try program("down", "--grace", "0")
          // Every other round begins with an empty store, the rest with the packages and blobs of the round before.
          if round % 2 == 0 { try FileSystem.removeTree(program.home) } else { try FileSystem.removeTree(program.home.appending("layers")) }
          let moment = Duration.seconds(Double.random(in: 0...1) * whole.seconds)
          let child = try program.command(["up"]).start()
          usleep(UInt32(moment.seconds * 1e6))
          child.signal(SIGKILL)
          _ = try child.finish()
          let next = try program("up")
          #expect(next.status == 0, "killed after \(moment): \(next.errors)")
          #expect(try program("exec", "--", "/bin/busybox", "true").status == 0)
          let verified = try program("verify")
          #expect(verified.status == 0, "killed after \(moment): \(verified.output)")
          #expect(try FileSystem.list(program.home.appending("tmp")).isEmpty)
          let mounts = String(decoding: try FileSystem.readFile("/proc/self/mounts"), as: UTF8.self)
          #expect(!mounts.contains(folder.string))
        }
      }
    }

    @Test func twoAtOnceShareTheWork() throws {
      try withTemporaryFolder { folder in
        let program = try SmallRecipe.program(in: folder)
        defer { _ = try? program("down", "--grace", "0") }
        let outcomes = try concurrentMap(Array(0..<4), width: 4) { _ in try program("up", "--format", "json") }
        for outcome in outcomes { #expect(outcome.status == 0, "\(outcome.errors)") }
        #expect(try outcomes.count { try $0.json()["started"].bool == true } == 1)
        // Who unpacks which layer is chance; that each is unpacked once is not.
        let unpacked = outcomes.compactMap { try? /(\d+) unpacked/.firstMatch(in: $0.errors)?.1 }.compactMap { Int($0) }
        #expect(try unpacked.reduce(0, +) == FileSystem.list(program.home.appending("layers")).count)
        #expect(try program("verify").status == 0)
        #expect(try program("ps", "--format", "json").json().items.count == 1)
      }
    }
  }
}

/// A catalog with one small recipe of real Debian packages, locked by the real resolver.
enum SmallRecipe {
  static func program(in folder: FilePath) throws -> Program {
    let catalog = folder.appending("catalog")
    let recipe = catalog.appending("images/small")
    try FileSystem.createDirectories(recipe)
    try FileSystem.createDirectories(catalog.appending("manifests"))
    let yaml = """
      name: small
      platform: linux/amd64
      created: 2024-10-15T00:00:00Z
      debian:
        suite: bookworm
        layers:
          base: [base-files, base-passwd, busybox-static, catatonit]
      workdir: /workspace
      command: [/bin/busybox, sh]

      """
    try FileSystem.writeAtomically(Array(yaml.utf8), to: recipe.appending("image.yaml"))
    var program = Program(
      home: folder.appending("home"), folder: folder.appending("project"), variables: ["ENVCTL_CATALOG": catalog.string])
    try program.project("small")
    let locked = try program("image", "lock", "small")
    try #require(locked.status == 0, "\(locked.errors)")
    let built = try program("image", "build", "small")
    try #require(built.status == 0, "\(built.errors)")
    let entry = "schema: 1\nname: small\nrecipe: small\nimages:\n  linux/amd64: \(built.output)"
    try FileSystem.writeAtomically(Array(entry.utf8), to: catalog.appending("manifests/small.yaml"))
    try FileSystem.removeTree(program.home)
    program.variables["ENVCTL_CATALOG"] = catalog.string
    return program
  }
}
