/// A CDI specification in a real container: node, rule, mount, variable, group and hook.
import CDI
import EnvCore
import EnvLaunch
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(
  .serialized,
  .needs(.root, .busybox, .tool("runc"), Capability("/dev/fuse", isPresent: FileSystem.exists("/dev/fuse"), package: nil)))
struct DeviceTests {
  /// Writes a specification that passes on /dev/fuse, a device no container has by itself, and gives back the file with its edits.
  private func devices(_ fixture: LaunchFixture, names: [String] = ["fuse"]) throws -> String {
    let root = fixture.folder
    let hook = root.appending("hook")
    try FileSystem.writeAtomically(Array("#!/bin/sh\nenv >> '\(root)/hook-environment'\n".utf8), to: hook, mode: 0o755)
    try FileSystem.writeAtomically(Array("from the host".utf8), to: root.appending("library"))
    let list = names.map { "  - {name: \($0), containerEdits: {deviceNodes: [{path: /dev/vendor/\($0), hostPath: /dev/fuse, uid: 1000}]}}" }
    let text = """
      cdiVersion: 0.7.0
      kind: vendor.com/class
      containerEdits:
        env: [FROM_IMAGE=vendor]
        mounts: [{hostPath: \(root)/library, containerPath: /usr/lib/vendor/library, options: [ro, nosuid, nodev, rbind]}]
        additionalGids: [0, 105]
        hooks:
          - {hookName: createRuntime, path: \(hook), args: [hook], env: [OWN=runtime]}
          - {hookName: createContainer, path: \(hook), args: [hook]}
      devices:
      \(list.joined(separator: "\n"))
      """
    let kind = CDIKind(vendor: "vendor.com", name: "class")
    let registry = CDIRegistry(generated: [try CDISpec(Array(text.utf8), file: "vendor.yaml")])
    let edits = try registry.edits(for: names.map { QualifiedDevice(kind: kind, name: $0) }).completed(on: try HostTree())
    let file = root.appending("devices.json")
    let injection = DeviceInjection(edits: edits, libraryFolders: ["/usr/lib/vendor"])
    try FileSystem.writeAtomically(try CanonicalJSON.encode(injection), to: file)
    return file.string
  }

  @Test func everyEditIsThere() throws {
    let fixture = try LaunchFixture()
    let options = ["--devices", try devices(fixture), "--env", "LD_PRELOAD=/evil.so"]
    let outcome = try fixture.script(
      """
      ls -ln /dev/vendor/fuse; (: < /dev/vendor/fuse) && echo opened
      cat /usr/lib/vendor/library; echo; echo x 2>/dev/null > /usr/lib/vendor/library || echo read-only
      echo $FROM_IMAGE $LD_LIBRARY_PATH; id
      """, options: options)
    let lines = outcome.lines
    #expect(lines.first?.split(separator: " ").prefix(6) == ["crw-------", "1", "1000", "0", "10,", "229"], "\(outcome)")
    #expect(
      Array(lines.dropFirst()) == ["opened", "from the host", "read-only", "vendor /usr/lib/vendor", "uid=0(root) gid=0(root) groups=105"],
      "\(outcome)")
    // Neither the image's variables nor the request's reach what runs with the runtime's rights.
    let seen = String(decoding: try FileSystem.readFile(fixture.folder.appending("hook-environment")), as: UTF8.self)
    #expect(seen.contains("OWN=runtime"))
    #expect(seen.split(separator: "\n").count { $0.hasPrefix("PATH=/usr/sbin:") } == 2)
    #expect(!seen.contains("LD_PRELOAD") && !seen.contains("FROM_IMAGE"))
  }

  @Test func withoutItsRuleANodeCannotBeOpened() throws {
    let outcome = try LaunchFixture().script("busybox mknod /tmp/fuse c 10 229 && (: < /tmp/fuse) && echo opened")
    #expect(!outcome.output.contains("opened"), "\(outcome)")
    #expect(outcome.errors.contains("not permitted"), "\(outcome)")
  }

  @Test func aWorkspaceIsFoundOnlyWithItsDevices() throws {
    let fixture = try LaunchFixture()
    let project = fixture.project.string
    #expect(try fixture.run(["start", project, "--devices", devices(fixture)]).output.hasPrefix("started"))
    #expect(try fixture.run(["exec", project, "--", "sh", "-c", ": < /dev/vendor/fuse && echo $FROM_IMAGE"]).lines == ["vendor"])
    #expect(try fixture.run(["start", project, "--devices", devices(fixture)]).output.hasPrefix("found"))
    let other = try fixture.run(["start", project, "--devices", devices(fixture, names: ["fuse", "second"])])
    #expect(other.output.hasPrefix("started") && other.errors.contains("devices: /dev/vendor/fuse → "), "\(other)")
  }

  /// What systemd does on a reload: the rules of the container's cgroup are written anew, without those it does not know of.
  @Test(
    .needs(
      Capability(
        "a devices cgroup of version 1", isPresent: FileSystem.exists("/sys/fs/cgroup/devices/devices.deny"), package: nil)))
  func devicesThatAReloadHasTaken() throws {
    let fixture = try LaunchFixture()
    let project = fixture.project.string
    let options = ["--devices", try devices(fixture)]
    #expect(try fixture.run(["start", project] + options).output.hasPrefix("started"))
    let open = ["exec", project, "--", "sh", "-c", ": < /dev/vendor/fuse && echo opened"]
    let before = try fixture.run(open)
    #expect(before.lines == ["opened"] && before.errors.isEmpty, "\(before)")
    let pid = try #require(try fixture.run(["list"]).lines.first?.split(separator: " ").last)
    let own = String(decoding: try FileSystem.readFile(FilePath("/proc/\(pid)/cgroup")), as: UTF8.self).split(separator: "\n")
    let cgroup = try #require(own.first { $0.contains(":devices:") }?.split(separator: ":").last)
    try Tool.run("sh", "-c", "echo 'c 10:229 rwm' > /sys/fs/cgroup/devices\(cgroup)/devices.deny")
    let after = try fixture.run(open)
    #expect(after.lines.isEmpty, "\(after)")
    #expect(after.errors.contains("may no longer open /dev/vendor/fuse, as after systemd has reloaded"), "\(after)")
    #expect(try fixture.run(["start", project] + options).errors.contains("may no longer open /dev/vendor/fuse"))
    _ = try fixture.run(["stop", project])
    #expect(try fixture.run(["start", project] + options).output.hasPrefix("started"))
    #expect(try fixture.run(open).lines == ["opened"])
  }
}
