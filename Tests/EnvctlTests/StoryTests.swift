/// A day of a person with a workspace, told whole: as root and as ordinary users, with what exists on the machine looked at after each step.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension Capability {
  fileprivate static let kernelFUSE = Capability(
    "a kernel with FUSE",
    isPresent: (try? Tool.run("grep", "-qw", "fuse", "/proc/filesystems").status) == 0 && FileSystem.exists("/dev/fuse"),
    package: nil)
}

extension EnvctlTests {
  @Suite(
    .serialized,
    .needs(
      .root, .ordinaryUser, .tool("runc"), .tool("busybox", package: "busybox-static"), .tool("setpriv", package: "util-linux"),
      .tool("setsid", package: "util-linux"), .tool("fuse-overlayfs", package: "fuse-overlayfs"), .kernelFUSE))
  struct StoryTests {
    @Test(arguments: Person.allCases) func aDay(person: Person) throws {
      try person.withProgram { program in
        try #expect(state(program) == nil)
        try #require(program("up").status == 0)
        try #expect(state(program) == "running")

        try shell(program)
        var ten = program
        let loop =
          "for i in 0 1 2 3 4 5 6 7 8 9; do { \"$@\" -- /bin/sh -c \"sleep 1; echo says $i; exit $i\"; echo ended $?; } & done; wait"
        ten.wrapper += ["sh", "-c", loop, "sh"]
        let lines = try ten("exec").output.split(separator: "\n").map(String.init).sorted()
        #expect(lines == ["ended", "says"].flatMap { word in (0..<10).map { "\(word) \($0)" } })
        try #expect(program("exec", "--", "/bin/sh", "-c", "echo kept > /kept; echo mine > /workspace/mine").status == 0)
        try #expect(FileSystem.status(program.folder.appending("mine"))?.uid == FileSystem.status(program.folder)?.uid)

        try #expect(program("stop").status == 0)
        try #expect(state(program) == "stopped")
        try #expect(program("up").status == 0)
        try #expect(state(program) == "running")
        try #expect(program("exec", "--", "/bin/sh", "-c", "cat /kept").output == "kept\n")
        try #expect(program("diff").output == "A /kept\n")

        try #expect(program("down").status == 0)
        try #expect(state(program) == nil)
        try #expect(Belongings(of: program) == .none)
      }
    }

    /// A person at a shell: its window, an interrupted command, a job that goes on when they have left, and is ended by the next one.
    private func shell(_ program: Program) throws {
      let terminal = try PersonsTerminal(rows: 20, columns: 70)
      let child = try terminal.start(try program.command(["shell", "-e", "PS1=at> "]))
      try terminal.expect("at> ")
      try terminal.type("busybox stty size\r")
      try terminal.expect("20 70\n")
      try terminal.resize(rows: 30, columns: 90)
      try terminal.type("while [ \"$(busybox stty size)\" != '30 90' ]; do sleep 0.1; done; echo resi''zed\r")
      try terminal.expect("resized\n")
      try terminal.type("echo be''gun; sleep 300\r")
      try terminal.expect("begun\n")
      usleep(300_000)
      try terminal.type("\u{3}")
      try terminal.expect("at> ")
      try terminal.type("sleep 4321 & echo jo''b\r")
      try terminal.expect("job\n")
      try terminal.type("exit 7\r")
      try #expect(child.finish(deadline: .seconds(20)).status == .exited(7))
      #expect(!terminal.isRaw)
      try #expect(state(program) == "running")
      let jobs = try program("exec", "--", "/bin/sh", "-c", "kill $(busybox pidof sleep) && echo ended")
      #expect(jobs.output == "ended\n", "\(jobs.errors)")
    }

    /// kill -9 of envctl in the middle of each command: what `ps` says next is true, and `down` leaves nothing.
    @Test(arguments: [Person.root, .ordinaryUser, .userOfFUSE]) func killed(person: Person) throws {
      try person.withProgram { program in
        for state in Killed.allCases {
          let duration = try state.duration(program)
          for part in [0.05, 0.35, 0.65, 0.95] {
            let moment = "\(state) killed after \(part) of \(duration)"
            if state.needsWorkspace { try #require(program("up").status == 0, "\(moment)") }
            let containers = try kill(program, state.arguments, after: duration * part)
            _ = try self.state(program, moment)
            let up = try program("up")
            #expect(up.status == 0, "\(moment): \(up.errors)")
            try #expect(self.state(program, moment) == "running")
            try #expect(program("exec", "--", "/bin/sh", "-c", "exit 3").status == 3, "\(moment)")
            try #expect(program("down", "--grace", "0").status == 0, "\(moment)")
            try #expect(Belongings(of: program, containers: containers) == .none, "\(moment)")
          }
        }
      }
    }

    /// Starts the program, kills it, and says which throw-away containers it had.
    private func kill(_ program: Program, _ arguments: [String], after delay: Duration) throws -> Set<String> {
      let end = ContinuousClock.now + delay
      let child = try program.command(arguments).start()
      var containers: Set<String> = []
      func look() { containers.formUnion((try? FileSystem.list(program.seen(program.home.appending("run/throwaway")))) ?? []) }
      while ContinuousClock.now < end {
        look()
        usleep(1000)
      }
      Glibc.kill(child.pid, SIGKILL)
      // What it started may hold its output, which is not waited for.
      look()
      _ = try? child.finish(output: .lines { _ in }, deadline: .milliseconds(50))
      look()
      return containers
    }

    /// What `ps` says of the workspace, if there is one; compared with what there is.
    private func state(_ program: Program, _ moment: String = "") throws -> String? {
      let list = try program("ps", "--format", "json")
      #expect(list.status == 0, "\(moment): \(list.errors)")
      let state = try list.json().items.first?["state"].string
      let belongings = try Belongings(of: program)
      #expect(
        (state == "running") == belongings.processes.contains { $0.contains("envctl-init") }, "\(moment): \(state ?? "-"), \(belongings)")
      if state == nil { #expect(belongings.files.allSatisfy { $0.contains("/throwaway/") }, "\(moment): \(belongings)") }
      return state
    }
  }
}

/// A command that is killed.
private enum Killed: CaseIterable {
  case run, up, exec, stop, down

  var needsWorkspace: Bool { self != .run && self != .up }

  var arguments: [String] {
    switch self {
    case .run: ["run", "--", "/bin/busybox", "sleep", "0.2"]
    case .up: ["up"]
    case .exec: ["exec", "--", "/bin/busybox", "sleep", "0.2"]
    case .stop: ["stop", "--grace", "0"]
    case .down: ["down", "--grace", "0"]
    }
  }

  /// How long it takes when nobody kills it.
  func duration(_ program: Program) throws -> Duration {
    // The second time is one without a layer to unpack.
    for arguments in [["up"]] + (needsWorkspace ? [] : [["down", "--grace", "0"]]) {
      try #require(program.command(arguments).run(deadline: .seconds(60)).status.isSuccess)
    }
    let start = ContinuousClock.now
    try #require(program.command(arguments).run(deadline: .seconds(60)).status.isSuccess)
    return ContinuousClock.now - start
  }
}
