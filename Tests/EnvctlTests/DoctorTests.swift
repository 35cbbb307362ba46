/// `envctl doctor` on this machine and on one in a folder.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  struct DoctorTests {
    @Test func thisMachineAndAnEmptyOne() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        let here = try program("doctor", "--format", "json")
        let findings = try here.json().items
        #expect(findings.contains { $0["check"].string == "kernel" && $0["level"].string == "ok" })
        // The status says what the findings say, and nothing was made by looking.
        #expect((here.status == 6) == findings.contains { $0["level"].string == "problem" })
        #expect([0, 6].contains(here.status))
        #expect(!FileSystem.exists(program.home))
        let root = folder.appending("root")
        try FileSystem.createDirectories(root)
        let empty = try program("doctor", "--root", root.string)
        #expect(empty.status == 6)
        #expect(empty.output.contains("problem  runtime: neither crun nor runc is installed\n"), "\(empty.output)")
        #expect(empty.output.contains("         mend: apt install runc\n"))
        #expect(try program("doctor", "--root", root.appending("nowhere").string).status == 1)
      }
    }
  }
}
