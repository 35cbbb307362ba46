/// Starting children and taking what they write.
import ChildProcess
import Glibc
import SystemPackage
import Testing

func shell(_ script: String) -> Command { Command("/bin/sh", ["-c", script], environment: ["PATH": "/usr/bin:/bin"]) }

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite struct CommandTests {
  @Test(arguments: [(0, 0), (1, 1), (7, 7), (255, 255)]) func exitCodePassesThrough(code: Int32, expected: Int32) throws {
    #expect(try shell("exit \(code)").run().status == .exited(expected))
  }

  @Test(arguments: [SIGTERM, SIGKILL, SIGINT]) func signalIsToldApartFromAnExit(number: Int32) throws {
    let status = try shell("kill -\(number) $$").run().status
    #expect(status == .signaled(number))
    #expect(status.code == 128 + number)
  }

  @Test func bothStreamsAreKeptApart() throws {
    let completion = try shell("echo out; echo err >&2").run()
    #expect(text(completion.output) == "out\n")
    #expect(completion.errorText == "err")
  }

  @Test func environmentIsExactlyWhatIsGiven() throws {
    let completion = try Command("/usr/bin/env", environment: ["A": "1", "B": "x=y"]).run()
    #expect(text(completion.output) == "A=1\nB=x=y\n")
  }

  @Test func workingDirectoryIsSet() throws {
    var command = shell("pwd")
    command.workingDirectory = "/usr"
    #expect(text(try command.run().output) == "/usr\n")
  }

  @Test func missingProgramIsATypedError() throws {
    let error = #expect(throws: ProcessError.self) { try Command("/nowhere/at/all").run() }
    guard case .spawn(let executable, _, let errno) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    #expect(executable == "/nowhere/at/all")
    #expect(errno == .noSuchFileOrDirectory)
    #expect(error?.exitCode == .host)
  }

  @Test func childHasNoDescriptorsButItsStreams() throws {
    // Without close-on-exec on purpose: the child must not get it all the same.
    let stray = open("/dev/null", O_RDONLY)
    defer { close(stray) }
    // The shell's glob opens the folder itself as one more.
    let completion = try shell("for f in /proc/$$/fd/*; do echo ${f##*/}; done").run()
    #expect(Set(text(completion.output).split(separator: "\n")).subtracting(["3"]) == ["0", "1", "2"])
  }

  @Test func keptDescriptorIsNumberThree() throws {
    var command = shell("readlink /proc/$$/fd/3")
    let file = try FileDescriptor.open("/etc/passwd", .readOnly)
    defer { try? file.close() }
    command.keptDescriptor = file
    #expect(text(try command.run().output) == "/etc/passwd\n")
  }

  @Test func outputGoesToAGivenDescriptor() throws {
    var command = shell("echo to-out; echo to-err >&2")
    let path = FilePath("/tmp/envctl-child-\(getpid())-\(UInt32.random(in: 0 ... .max))")
    let file = try FileDescriptor.open(path, .readWrite, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    defer {
      try? file.close()
      unlink(path.string)
    }
    command.standardOutput = .descriptor(file)
    command.standardError = .descriptor(file)
    #expect(try command.run().output.isEmpty)
    let written = [UInt8](unsafeUninitializedCapacity: 100) { buffer, count in
      count = (try? file.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
    }
    #expect(text(written) == "to-out\nto-err\n")
  }

  @Test func sigpipeIsAtItsDefault() throws {
    signal(SIGPIPE, SIG_IGN)
    defer { signal(SIGPIPE, SIG_DFL) }
    #expect(try shell("kill -PIPE $$").run().status == .signaled(SIGPIPE))
  }

  @Test func failureCarriesTheEndOfStandardError() throws {
    let error = #expect(throws: ProcessError.self) { try shell("echo why >&2; exit 3").runSuccessfully() }
    #expect(error?.summary.hasSuffix("ended with exit status 3: why") == true)
  }

  @Test func findLooksAtThePathAndTheSystemFolders() throws {
    #expect(try Executable.find("sh").lastComponent == "sh")
    #expect(throws: ProcessError.self) { try Executable.find("no-such-program-anywhere") }
    #expect(throws: ProcessError.self) { try Executable.find("/etc/passwd") }
  }
}
