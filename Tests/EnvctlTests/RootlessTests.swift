/// The program as an ordinary user runs it, with subordinate ids and without.
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .ordinaryUser, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct RootlessTests {
    /// An image with files of other owners, whiteouts, an opaque folder and a device node in it.
    private func withProgram(_ person: Person, _ body: (Program) throws -> Void) throws {
      let more: [TarItem] = [
        TarItem(.init(path: "etc/secret", kind: .file, permissions: 0o600, uid: 33, gid: 33, size: 1, modified: 0), content: [65]),
        TarItem(.init(path: "etc/node", kind: .characterDevice(major: 1, minor: 3), permissions: 0o666, size: 0, modified: 0)),
        .folder("tmp"), .file("tmp/.wh..wh..opq", ""), .file("etc/.wh.passwd", ""),
      ]
      try person.withProgram(more: more) { program in
        try body(program)
        _ = try program("down", "--grace", "0")
        try #expect(Belongings(of: program) == .none)
      }
    }

    @Test(arguments: [Person.ordinaryUser, .userWithoutIDs])
    func theViewFromWithin(person: Person) throws {
      let hasIDs = person == .ordinaryUser
      try withProgram(person) { program in
        let up = try program("up")
        try #require(up.status == 0, "\(up.errors)")
        #expect(up.errors.contains("no subordinate ids") == !hasIDs, "\(up.errors)")
        #expect(try program("ps", "--format", "json").json().items.first?["state"].string == "running")
        let view = try program(
          "exec", "--", "/bin/sh", "-c", "/bin/busybox id -u; /bin/busybox stat -c '%u %a' /etc/secret; /bin/busybox ls /etc")
        #expect(
          view.output == "0\n\(hasIDs ? 33 : 0) 600\nhosts\nresolv.conf\nsecret\n" || view.output.hasPrefix("0\n\(hasIDs ? 33 : 0) 600\n"))
        #expect(!view.output.contains("passwd") && !view.output.contains("node"))
        #expect(try program("exec", "--", "/bin/sh", "-c", "echo x > /workspace/made; exit 7").status == 7)
        let made = try #require(try FileSystem.status(program.folder.appending("made")))
        try #expect(made.uid == FileSystem.status(program.folder)?.uid)
        if hasIDs {
          let other = try program("exec", "--user", "1000:44", "--", "/bin/sh", "-c", "/bin/busybox id -u; /bin/busybox sleep 0.1")
          #expect(other.output == "1000\n", "\(other.errors)")
        }
        #expect(try program("run", "--", "/bin/sh", "-c", "kill -9 $$").status == 137)
        #expect(try program("verify").output == "ok\n")
      }
    }

    @Test func theSameNamespaceIsFoundAgain() throws {
      try withProgram(.ordinaryUser) { program in
        try #require(program("up").status == 0)
        // Process 1 of another id can be signalled from the container's own user namespace only.
        let namespace = { try program("exec", "--", "/bin/busybox", "readlink", "/proc/self/ns/user").output }
        let first = try namespace()
        #expect(!first.isEmpty)
        #expect(try namespace() == first)
        let run = try program("run", "--", "/bin/busybox", "readlink", "/proc/self/ns/user")
        #expect(run.output == first)
      }
    }

    @Test func aFolderOnANarrowerFileSystemIsMounted() throws {
      try withProgram(.ordinaryUser) { program in
        var program = program
        try FileSystem.createDirectories(program.folder.appending("data"))
        let layout = program.folder.removingLastComponent().appending("layout")
        try program.project("oci:\(layout)", "check: none\nmount: data\n")
        let script = "mount -t tmpfs -o noexec,nosuid,nodev,mode=777 tmpfs data && exec runuser -u \(OrdinaryUser.name) -- \"$@\""
        program.wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"]
        let run = try program("run", "--", "/bin/sh", "-c", "echo kept > /workspace/f && /bin/busybox cat /workspace/f")
        #expect(run.output == "kept\n", "\(run.errors)")
      }
    }

    @Test func aHostThatForbidsItIsTold() throws {
      try withProgram(.ordinaryUser) { program in
        var program = program
        // The limit of a namespace is for its root to set; somebody else in it is the ordinary user there.
        let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --reuid 1 --regid 1 --clear-groups \"$@\""
        program.wrapper += ["unshare", "--user", "--map-root-user", "--map-auto", "sh", "-c", script, "sh"]
        try #require(Tool.run("chmod", "-R", "a+rwX", program.home.removingLastComponent().string).status == 0)
        let up = try program("up")
        #expect(up.status == 6)
        #expect(up.errors.contains("user.max_user_namespaces = 0"), "\(up.errors)")
        #expect(up.errors.contains("hint: as root: sysctl user.max_user_namespaces"))
      }
    }
  }
}
