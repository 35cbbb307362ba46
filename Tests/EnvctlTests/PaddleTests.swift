/// The main job, for real: PaddlePaddle in a container, trained and judged.
import ChildProcess
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.serialized, .needs(.root, .tool("runc")))
  struct PaddleTests {
    @Test func upEndsWithAVerdict() throws {
      let program = try Shared.program("up", "")
      defer { _ = try? program("down", "--grace", "0") }
      try? FileSystem.removeTree(Shared.home.appending("verdicts"))
      let first = try program("up", "--format", "json", deadline: .seconds(900))
      #expect(first.status == 0, "\(first.errors)")
      let outcome = try #require(try first.json()["verdict"]["outcome"].string)
      #expect(["identical", "equivalent"].contains(outcome))
      #expect(try first.json()["verdictIsNew"].bool == true)
      #expect(try first.json()["workspace"]["state"].string == "running")
      for stage in ["pin", "unpack", "launch", "observe", "judge"] {
        #expect(first.errors.contains("\n" + stage) || first.errors.hasPrefix(stage))
      }

      // Without a network device there is no network call that could succeed.
      var offline = program
      offline.wrapper = ["unshare", "--net"]
      let second = try offline("up", "--format", "json")
      #expect(second.status == 0, "\(second.errors)")
      #expect(try second.json()["started"].bool == false)
      #expect(try second.json()["verdictIsNew"].bool == false)
      #expect(second.errors.contains("6 present and proven"))
      #expect(!second.errors.contains("fetch"))

      let version = try program("exec", "--", "python3", "-c", "import zlib, paddle; print(paddle.__version__)")
      #expect(version.status == 0)
      #expect(version.output == "2.6.2\n")
      let list = try program("ps", "--format", "json")
      #expect(try list.json().items.contains { $0["folder"].string == program.folder.string && $0["state"].string == "running" })
      #expect(try program("down").status == 0)
      #expect(try program("ps", "--format", "json").json().items.allSatisfy { $0["folder"].string != program.folder.string })
    }

    @Test(arguments: ["adam-epsilon", "layernorm-epsilon", "weight-bit", "batchnorm-momentum", "gelu-tanh"])
    func plantedChangeIsDrift(_ plant: String) throws {
      let program = try Shared.program("check")
      let check = try program("check", "--format", "json", "--report", "page.html", "--", "--plant", plant)
      #expect(check.status == 3, "\(check.errors)")
      let page = String(decoding: try FileSystem.readFile(program.folder.appending("page.html")), as: UTF8.self)
      for part in ["</span>drift: semantics</h1>", "<h3>float64 loss: baseline and run</h3>", "<h3>float32 scores, after step 50</h3>"] {
        #expect(page.contains(part))
      }
      #expect(try program("report", "--format", "text").output.hasPrefix("verdict: drift: semantics\n"))
      let verdict = try check.json()
      #expect(verdict["outcome"].string == "drift: semantics")
      let measurement = try #require(verdict["measurements"].items.first { $0["precision"].string == "float64" })
      // Where it first shows: a weight before the first step, a loss in a step, or the scores of the evaluation.
      let step = try #require(measurement["firstBeyondBand"]["step"].int)
      #expect((0...50).contains(step))
      // Where the change is one of an operator, the operator is named by the tier that sees it alone.
      let operators = ["adam-epsilon": "adam", "layernorm-epsilon": "layer_norm", "gelu-tanh": "gelu", "batchnorm-momentum": "batch_norm"]
      guard let name = operators[plant] else { return }
      let cause = verdict["cause"]
      #expect(cause["tier"].string == "T1 operators")
      #expect(cause["firstOperator"].string?.contains(name) == true, "\(cause["firstOperator"])")
    }

    @Test(arguments: [["MKL_CBWR=COMPATIBLE"], ["OMP_NUM_THREADS=2", "MKL_NUM_THREADS=2"]])
    func harmlessVariationIsNoDrift(_ variables: [String]) throws {
      let options = variables.flatMap { ["--env", $0] }
      let program = try Shared.program("check")
      let records = program.folder.appending("records.jsonl")
      let completion = try program.command(
        ["check", "--format", "json", "--record", records.string] + options + ["--", "--keep-environment"]
      ).run(deadline: .seconds(300))
      #expect(completion.status.code == 0, "\(String(decoding: completion.errors, as: UTF8.self))")
      let outcome = try JSON(String(decoding: completion.output, as: UTF8.self))["outcome"].string
      #expect(outcome == "identical" || outcome == "equivalent")
      try expectNearestBaseline(program, records)
    }

    @Test(.needs(.tool("gcc"))) func theSuiteFindsAWrongFunctionAndLetsAHarmlessLibraryPass() throws {
      var command = Command(
        Program.checkout.appending("scripts/drift-suite"),
        [
          "--results", Program.checkout.appending(".build/envctl-tests/drift-suite").string, "--envctl", Program.path.string,
          "one-ulp-expf", "harmless-preload",
        ],
        environment: ProcessEnvironment.inherited.merging(["ENVCTL_HOME": Shared.home.string]) { $1 })
      command.workingDirectory = Program.checkout
      let completion = try command.run(deadline: .seconds(300))
      let output = String(decoding: completion.output, as: UTF8.self)
      #expect(completion.status.code == 0, "\(output)\(String(decoding: completion.errors, as: UTF8.self))")
      #expect(output.contains("cause named right: 1 of 1") && output.contains("harmless changes of packages and libraries told: 1 of 1"))
    }

    @Test func notANumberIsBroken() throws {
      let check = try Shared.program("check")("check", "--format", "json", "--", "--plant", "missing-value")
      #expect(check.status == 1, "\(check.errors)")
      let verdict = try check.json()
      #expect(verdict["outcome"].string == "broken")
      #expect(verdict["breakages"].items.contains { $0["operator"].string != nil && $0["step"].int != nil })
    }

    @Test func aPackageThatDoesNotLoadIsNamedThoughNothingRan() throws {
      let program = try Shared.program("check")
      try program.write("raise ImportError('spoilt')\n", to: "spoilt.py")
      let target = "/usr/local/lib/python3.11/dist-packages/numpy/__init__.py"
      let check = try program("check", "--format", "json", "--mount", "\(program.folder)/spoilt.py:\(target):ro")
      #expect(check.status == 1, "\(check.errors)")
      let verdict = try check.json()
      #expect(verdict["outcome"].string == "broken")
      let difference = try #require(verdict["cause"]["suspects"].items.first)["difference"]
      #expect(difference["kind"].string == "files" && difference["name"].string == "numpy", "\(check.output)")
    }

    @Test func ownTrainingReproducesItself() throws {
      let program = try Shared.program("own", "check: { command: [python3, paddle_train.py] }\n")
      for name in ["envctl_record.py", "paddle_train.py"] {
        try #require(Tool.run("cp", "\(Program.checkout)/images/examples/\(name)", program.folder.string).status == 0)
      }
      let record = try program("baseline", "record")
      #expect(record.status == 0, "\(record.errors)")
      let check = try program("check", "--format", "json")
      #expect(check.status == 0, "\(check.errors)")
      #expect(try check.json()["outcome"].string == "identical")
    }

    @Test func interruptedCheckIsNoVerdict() throws {
      let program = try Shared.program("check")
      try #require(program("run", "--", "true").status == 0)
      let child = try program.command(["check", "--format", "json"]).start()
      sleep(3)
      child.signal(SIGTERM)
      let ended = try child.finish(deadline: .seconds(60))
      #expect(ended.status.code == 143)
      #expect(ended.output.isEmpty)
      #expect(ended.errorText.contains("interrupted by signal 15"))
    }

    @Test func missingModuleIsBrokenAndSaysSo() throws {
      let check = try Shared.program("check")("check", "--env", "LD_PRELOAD=/nonexistent.so", "--", "--no-such-option")
      #expect(check.status == 1)
      #expect(check.output.contains("broken"))
      #expect(check.errors.contains("no-such-option"))
    }

    /// Judges kept records by a catalog that knows two kinds of hardware, and by one that knows only the foreign one.
    private func expectNearestBaseline(_ given: Program, _ records: FilePath) throws {
      var program = given
      let catalog = program.folder.appending("catalog")
      let shelf = "manifests/baselines/paddle-2.6-cpu"
      try? FileSystem.removeTree(catalog)
      try FileSystem.createDirectories(catalog.appending(shelf))
      _ = try Command(try Executable.find("cp"), ["-a", Program.checkout.appending("images").string, catalog.string]).run(
        deadline: .seconds(60))
      func read(_ path: String) throws -> String {
        String(decoding: try FileSystem.readFile(Program.checkout.appending(path)), as: UTF8.self)
      }
      func write(_ text: String, _ path: String) throws {
        try FileSystem.writeAtomically(Array(text.utf8), to: catalog.appending(path))
      }
      try write(try read("manifests/paddle-2.6-cpu.yaml"), "manifests/paddle-2.6-cpu.yaml")
      let recorded = try #require(try FileSystem.list(Program.checkout.appending(shelf)).sorted().first)
      let baseline = try read("\(shelf)/\(recorded)")
      let foreign = baseline.replacing("\"machine\":\"x86_64\"", with: "\"machine\":\"aarch64\"")
      try #require(foreign != baseline)
      try write(baseline, shelf + "/real.json")
      try write(foreign.replacing("\"model\":\"", with: "\"model\":\"Foreign "), shelf + "/foreign.json")
      program.variables["ENVCTL_CATALOG"] = catalog.string
      for isForeign in [false, true] {
        try? FileSystem.removeFile(program.folder.appending("envctl.lock"))
        let check = try program("check", "--format", "json", "--replay", records.string)
        #expect(check.status == 0, "\(check.errors)")
        #expect(try check.json()["measuredOn"].string?.hasPrefix("Foreign") == isForeign)
        try? FileSystem.removeFile(catalog.appending(shelf + "/real.json"))
      }
    }
  }
}
