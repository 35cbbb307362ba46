/// Limits as people set them, on containers that run.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static"), .memoryCgroup))
  struct ResourceTests {
    @Test func aContainerOverItsMemoryIsToldSo() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        let hungry = ["/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]
        let run = try program.command(["run", "--memory", "48MiB", "--"] + hungry).run(deadline: .seconds(60))
        #expect(run.status.code == 137)
        #expect(run.errorText.contains("killed: over its memory limit of 48 MiB"), "\(run.errorText)")
        defer { _ = try? program("down", "--grace", "0") }
        try #require(program("up", "--memory", "48MiB").status == 0)
        let exec = try program.command(["exec", "--"] + hungry).run(deadline: .seconds(60))
        #expect(exec.status.code == 137)
        #expect(exec.errorText.contains("killed: over its memory limit of 48 MiB"), "\(exec.errorText)")
        // The same status for another reason is not mistaken for it.
        let killed = try program("run", "--memory", "48MiB", "--", "/bin/sh", "-c", "kill -9 $$")
        #expect(killed.status == 137 && !killed.errors.contains("memory"))
        // With another limit it is started anew, and the new one holds.
        let other = try program("up", "--memory", "64MiB")
        #expect(other.status == 0 && other.errors.contains("limits and other settings: as before → changed"), "\(other.errors)")
        let again = try program.command(["exec", "--"] + hungry).run(deadline: .seconds(60))
        #expect(again.errorText.contains("killed: over its memory limit of 64 MiB"), "\(again.errorText)")
      }
    }

    @Test func limitsOfAProcessAndOfSharedMemory() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try program.project("oci:\(folder.appending("layout"))", "check: none\nresources:\n  shm: 32MiB\n  ulimits: {nofile: 300}\n")
        let script = "ulimit -n; /bin/busybox df -k /dev/shm | /bin/busybox tail -1 | /bin/busybox awk '{print $2}'"
        #expect(try program("run", "--", "/bin/sh", "-c", script).output == "300\n32768\n")
        #expect(try program("run", "--shm", "64MiB", "--ulimit", "nofile=200:300", "--", "/bin/sh", "-c", script).output == "200\n65536\n")
        let null = try program("run", "--device", "/dev/null:/dev/nothing", "--", "/bin/sh", "-c", "echo x > /dev/nothing && echo written")
        #expect(null.output == "written\n", "\(null.errors)")
      }
    }

    @Test(
      arguments: [
        (["--memory", "8G"], 2, "expected a size"), (["--cpus", "none"], 2, "expected a number of processors"),
        (["--ulimit", "nofile"], 2, "expected NAME=VALUE"), (["--memory-swap", "8GiB"], 2, "memory and swap together"),
        (["--cpuset", "65000"], 6, "there is no processor 65000"),
        (["--device", "/dev/no-such-device"], 6, "no device '/dev/no-such-device'"),
        (["--hugepages", "16KiB=32KiB"], 6, ""),
      ] as [([String], Int32, String)])
    func whatCannotBeIsSaidBeforeAnythingElse(flags: [String], status: Int32, message: String) throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder.appending("project"))
        try program.project("paddle-2.6-cpu")
        for command in [["up"] + flags, ["run"] + flags + ["--", "true"]] {
          let outcome = try program.command(command).run(deadline: .seconds(60))
          #expect(outcome.status.code == status, "\(outcome.errorText)")
          #expect(outcome.errorText.contains(message), "\(outcome.errorText)")
        }
      }
    }
  }
}
