/// A training of one's own as the measure: a shell script that writes records, in a real container, through every verdict there is.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct OwnTrainingTests {
    private static let sound = """
      echo 'no record, just a word'
      echo '{"hyperparameters":{"rate":0.5}}'
      echo '{"step":1,"loss":1.0,"seconds":0.1}'
      echo '{"step":2,"loss":0.5,"seconds":0.1}'
      echo '{"metric":"auc","value":0.75}'

      """

    private func withProgram(_ body: (Program) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try program.project("oci:\(folder)/layout", "check: { command: [sh, train.sh], bands: { loss: 1e-3 }, deadline: 20s }\n")
        try program.write(Self.sound, to: "train.sh")
        try body(program)
      }
    }

    private func recorded(_ program: Program) throws {
      let record = try program("baseline", "record")
      try #require(record.status == 0, "\(record.errors)")
      #expect(record.output == "\(program.folder)/envctl.baseline.json\n")
    }

    @Test func fromBaselineToReport() throws {
      try withProgram { program in
        let early = try program("check")
        #expect(early.status == 1 && early.errors.contains("envctl baseline record"), "\(early.errors)")
        #expect(try program("report").errors.contains("no check of"))
        try recorded(program)

        let same = try program("check", "--format", "json")
        #expect(same.status == 0, "\(same.errors)")
        #expect(try same.json()["outcome"].string == "identical")
        let text = try program("report", "--format", "text")
        #expect(text.output.hasPrefix("verdict: identical\n  the same bits as the baseline through step 2"))

        try program.write(
          Self.sound.replacing("0.5,\"seconds", with: "0.51,\"seconds").replacing("rate\":0.5", with: "rate\":0.6"), to: "train.sh")
        let drift = try program("check", "--format", "github", "--metrics-file", "m.prom", "--report", "page.html")
        #expect(drift.status == 3, "\(drift.errors)")
        #expect(drift.output.hasPrefix("::error file=envctl.yaml") && drift.output.contains("hyperparameter rate is 0.6, was 0.5"))
        func content(_ name: String) throws -> String {
          String(decoding: try FileSystem.readFile(program.folder.appending(name)), as: UTF8.self)
        }
        let metrics = try content("m.prom")
        #expect(metrics.contains("envctl_check_verdict{verdict=\"drift\"} 1\n") && metrics.contains("envctl_check_exit_status 3\n"))
        #expect(try program("report").output == "envctl-report.html\n")
        #expect(try content("envctl-report.html") == content("page.html"))
        #expect(try program("report", "--format", "junit").output.contains("failures=\"2\""))
        #expect(try program("report", "--format", "markdown").output.contains("| loss | 2.0e-2 at step 2 | 1.0e-3 | beyond band |"))

        let file = program.folder.appending("envctl.baseline.json")
        let baseline = String(decoding: try FileSystem.readFile(file), as: UTF8.self)
        try program.write(baseline.replacing("0.5", with: "0.51"), to: "envctl.baseline.json")
        let altered = try program("check")
        #expect(altered.status == 5 && altered.errors.contains("is not the locked one"), "\(altered.errors)")
        #expect(try program("lock", "--check").status == 5)
        #expect(try program("lock").status == 0)
        #expect(try program("check").status == 0)
      }
    }

    @Test("each way to fail has its own sentence, and what was recorded is kept") func brokenRuns() throws {
      try withProgram { program in
        try recorded(program)
        let start = Self.sound.split(separator: "\n").prefix(3).joined(separator: "\n") + "\n"
        for (rest, sentence) in [
          ("sleep 60", "step 1: the training did not end within 1.0 s and was ended"),
          ("kill -9 $$", "step 1: the training was killed by signal 9 (Killed)"),
          ("echo oops; exit 7", "step 1: the training ended with exit status 7"),
          (#"echo '{"step":2,"loss":NaN}'"#, #"holds a value that is no number: {"step":2,"loss":NaN}"#),
          (#"printf '{"step":2,"lo'"#, "broke off in line 4"), (#"echo '{"step":"two"}'"#, "its step is not a whole number"),
          ("true", "step 2: 'loss' is missing from here on"),
        ] {
          try program.write(start + rest + "\n", to: "train.sh")
          let check = try program("check", "--deadline", rest.hasPrefix("sleep") ? "1" : "60", "--record", "kept")
          #expect(check.status == 1, "\(rest): \(check.errors)")
          #expect(check.output.hasPrefix("verdict: broken\n") && check.output.contains(sentence), "\(rest): \(check.output)")
          let kept = String(decoding: try FileSystem.readFile(program.folder.appending("kept")), as: UTF8.self)
          #expect(kept.contains(#"{"step":1,"loss":1.0,"seconds":0.1}"#))
          if rest.contains("oops") { #expect(check.errors.contains("training: oops")) }
        }
        #expect(try FileSystem.list(program.home.appending("checks/\(project(program))")).count { $0.hasSuffix(".jsonl") } == 5)
        try program.write("echo nothing\n", to: "train.sh")
        let refused = try program("baseline", "record")
        #expect(refused.status == 1 && refused.errors.contains("the run cannot become a baseline"), "\(refused.errors)")
      }
    }

    /// The only project there is.
    private func project(_ program: Program) throws -> String {
      try #require(try FileSystem.list(program.home.appending("checks")).first)
    }

    @Test func watched() throws {
      try withProgram { program in
        try recorded(program)
        let bad = try program("check", "--metrics-listen", "nowhere:1")
        #expect(bad.status == 2 && bad.errors.contains("no address to listen on"), "\(bad.errors)")
        #expect(try program("check", "--metrics-file", "m.txt").status == 2)
        #expect(try program("check", "--metrics-file", "no/such/folder/m.prom").status == 1)
        let failed = try program("check", "--metrics-file", "failed.prom", "--replay", "no-such.jsonl")
        #expect(failed.status == 1, "\(failed.errors)")
        let left = String(decoding: try FileSystem.readFile(program.folder.appending("failed.prom")), as: UTF8.self)
        #expect(left.contains("verdict=\"error\"} 1\n") && left.contains("verdict=\"running\"} 0\n"))
        #expect(try program("check", "--replay", "no-such.jsonl", "--mount", "/tmp:/x").status == 2)
        let story = try program("check", "--log-format", "ecs", "--metrics-listen", "0")
        #expect(story.status == 0, "\(story.errors)")
        let lines = try story.errors.split(separator: "\n").filter { $0.hasPrefix("{") }.map { try JSON(String($0)) }
        #expect(lines.contains { $0["event.action"].string == "judge" && $0["event.outcome"].string == "success" })
        #expect(Set(lines.compactMap { $0["trace.id"].string }).count == 1)
        var failing = program
        failing.variables["ENVCTL_HOME"] = "relative"
        let error = try failing("check", "--log-format", "ecs")
        #expect(try error.status == 2 && JSON(error.errors)["log.level"].string == "error", "\(error.errors)")
      }
    }
  }
}
