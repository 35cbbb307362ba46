/// Pinned models as people use them: seen in the container, proven at every start, looked through before.
import EnvCore
import Hashing
import LoopbackHTTP
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  struct ModelScanTests {
    private let evil = Array("cos\nsystem\n(S'id'\ntR.".utf8)

    @Test func scan() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        try FileSystem.writeAtomically(evil, to: folder.appending("evil.pt"))
        try FileSystem.writeAtomically(Array("(lp0\n.".utf8), to: folder.appending("good.pdparams"))
        let good = try program("model", "scan", "good.pdparams")
        #expect(good.status == 0 && good.output == "good.pdparams: pickle, 1 pickle: nothing beyond tensors\n" && good.errors == "")
        let both = try program("model", "scan", "good.pdparams", "evil.pt")
        #expect(both.status == 4)
        #expect(both.output.hasSuffix("evil.pt: pickle, 1 pickle:\n  GLOBAL, byte 0: it imports os.system\n"))
        #expect(both.errors.hasPrefix("error: 1 finding in 'evil.pt', which holds more than tensors\n"))
        let json = try program("model", "scan", "--format", "json", "evil.pt")
        #expect(json.status == 4 && json.errors == "")
        let finding = try json.json()["files"].items[0]["findings"].items[0]
        #expect(finding["global"].string == "os.system" && finding["opcode"].string == "GLOBAL" && finding["offset"].int == 0)
        let allowed = try program("model", "scan", "--allow", "os.system", "evil.pt")
        #expect(allowed.status == 0 && allowed.output.hasSuffix("it imports os.system (allowed)\n"))
        #expect(try program("model", "scan", "none.pt").status == 1)
        #expect(try program("model", "scan", ".").status == 2)
        #expect(try program("model", "scan").status == 2)
        #expect(!FileSystem.exists(program.home))
      }
    }
  }

  @Suite(.needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct ModelTests {
    private static let weights = Array("weights, as good as any\n".utf8)

    private func models(_ source: String, _ bytes: [UInt8] = weights, _ more: String = "") -> String {
      "check: none\nmodels:\n  - {\(source), name: risk.pkl, sha256: \(Digest.sha256(of: bytes).hex), size: \(bytes.count), mount: /models/\(more)}\n"
    }

    private func withProject(_ body: (Program, FilePath) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try body(program, folder)
      }
    }

    @Test func seenInTheContainerAndNothingElse() throws {
      let pickle = Array("(lp0\n.".utf8)
      let server = try LoopbackServer([.ok(pickle)])
      defer { server.stop() }
      try withProject { program, folder in
        try program.project("oci:\(folder)/layout", models("url: '\(server.url("/risk.pkl"))'", pickle))
        let run = try program("run", "--", "/bin/busybox", "cat", "/models/risk.pkl")
        #expect(run.status == 0 && run.output == "(lp0\n.", "\(run)")
        let lock = try JSON(String(decoding: try FileSystem.readFile(program.folder.appending("envctl.lock")), as: UTF8.self))
        #expect(lock["models"].items[0]["mount"].string == "/models/risk.pkl" && lock["models"].items[0]["size"].int == pickle.count)
        #expect(lock["models"].items[0]["sha256"].string == "\(Digest.sha256(of: pickle))")
        let write = try program("run", "--", "/bin/busybox", "sh", "-c", "echo x > /models/risk.pkl")
        #expect(write.status != 0 && write.errors.contains("Read-only file system"), "\(write)")
        let up = try program("up")
        #expect(up.status == 0, "\(up)")
        #expect(try program("exec", "--", "/bin/busybox", "cat", "/models/risk.pkl").output == "(lp0\n.")
        #expect(try program("down").status == 0)
        #expect(server.requests.count == 1)
        #expect(try program("lock", "--check").status == 0)
        #expect(try program("verify").status == 0)
      }
    }

    @Test("what paddle.save writes is tensors and plain containers") func paddle() throws {
      let script = """
        import paddle
        model = paddle.nn.Linear(4, 2)
        rate = paddle.optimizer.lr.StepDecay(0.1, 3)
        adam = paddle.optimizer.Adam(learning_rate=rate, parameters=model.parameters())
        model(paddle.rand([3, 4])).sum().backward()
        adam.step()
        for version in (2, 3, 4): paddle.save(model.state_dict(), f'{version}.pdparams', protocol=version)
        paddle.save(adam.state_dict(), 'adam.pdopt')
        paddle.save({'nested': [paddle.rand([2]), 'text', 1]}, 'nested.pdparams')
        """
      let program = try Shared.program("saved")
      let run = try program("run", "--", "python3", "-c", script, deadline: .seconds(900))
      #expect(run.status == 0, "\(run.errors)")
      let scan = try program("model", "scan", "2.pdparams", "3.pdparams", "4.pdparams", "adam.pdopt", "nested.pdparams", "--format", "json")
      #expect(scan.status == 0, "\(scan.output)")
      let files = try scan.json()["files"].items
      #expect(files.count == 5 && files.allSatisfy { $0["format"].string == "pickle" && $0["pickles"].int == 1 })
      #expect(files.allSatisfy { $0["globals"].items.contains { $0.string == "numpy.core.multiarray._reconstruct" } })
    }

    @Test func otherBytesStopTheLaunch() throws {
      try withProject { program, folder in
        let file = program.folder.appending("risk.raw")
        try program.project("oci:\(folder)/layout", models("path: risk.raw").replaced("risk.pkl", "risk.raw"))
        try FileSystem.writeAtomically(Array("weights, as good as ANY\n".utf8), to: file)
        for arguments in [["run", "--", "/bin/busybox", "echo", "launched"], ["up"]] {
          let outcome = try program.command(arguments).run(deadline: .seconds(60))
          #expect(outcome.status.code == 5 && outcome.output.isEmpty)
          #expect(String(decoding: outcome.errors, as: UTF8.self).contains("the model 'risk.raw' from '\(file)' is not the pinned one"))
        }
        try FileSystem.writeAtomically(Self.weights, to: file)
        #expect(try program("run", "--", "/bin/busybox", "cat", "/models/risk.raw").status == 0)
        let blob = program.home.appending("blobs/sha256").appending(Digest.sha256(of: Self.weights).hex)
        let script = "chmod u+w \"$1\" && printf X | dd of=\"$1\" conv=notrunc status=none"
        try #require(Tool.run("sh", "-c", script, "sh", blob.string).status == 0)
        let damaged = try program("run", "--", "/bin/busybox", "echo", "launched")
        #expect(damaged.status == 5 && damaged.output == "" && damaged.errors.contains("is not what its pin says any more"), "\(damaged)")
        #expect(try program("verify", "--repair").status == 0)
        #expect(try program("run", "--", "/bin/busybox", "true").status == 0)
      }
    }

    @Test func whatIsNoTensorIsRefusedUntilItIsAllowed() throws {
      let pickle = Array("cmine\nLayer\n)R.".utf8)
      try withProject { program, folder in
        try FileSystem.writeAtomically(pickle, to: program.folder.appending("risk.pkl"))
        try program.project("oci:\(folder)/layout", models("path: risk.pkl", pickle))
        let refused = try program("run", "--", "/bin/busybox", "echo", "launched")
        #expect(refused.status == 4 && refused.output == "")
        #expect(refused.errors.contains("the model 'risk.pkl' is refused: GLOBAL, byte 0: it imports mine.Layer"), "\(refused)")
        try program.project("oci:\(folder)/layout", models("path: risk.pkl", pickle, ", allow: [mine.Layer]"))
        let allowed = try program("run", "--", "/bin/busybox", "echo", "launched")
        #expect(allowed.status == 0 && allowed.output == "launched\n", "\(allowed)")
        #expect(allowed.errors.contains("warning: the model 'risk.pkl': GLOBAL, byte 0: it imports mine.Layer, allowed by its pin"))
      }
    }

    @Test func theLockHoldsTheProjectToItsModels() throws {
      try withProject { program, folder in
        try FileSystem.writeAtomically(Self.weights, to: program.folder.appending("w"))
        try program.project("oci:\(folder)/layout", models("path: w").replaced("risk.pkl", "w"))
        #expect(try program("lock").status == 0)
        let moved = models("path: w").replaced("risk.pkl", "w").replaced("/models/", "/weights/")
        try program.project("oci:\(folder)/layout", moved)
        for arguments in [["up"], ["lock", "--check"]] {
          let outcome = try program.command(arguments).run(deadline: .seconds(60))
          #expect(outcome.status.code == 4)
          #expect(String(decoding: outcome.errors, as: UTF8.self).contains("it locks the model 'w' with another source"))
        }
        #expect(try program("lock").status == 0 && program("lock", "--check").status == 0)
        let unpinned = moved.replaced("sha256: \(Digest.sha256(of: Self.weights).hex), ", "")
        try program.project("oci:\(folder)/layout", unpinned)
        let refused = try program("up", "--allow-unpinned")
        #expect(refused.status == 4 && refused.errors.contains("the model 'w' has no sha256 [EC401]"), "\(refused)")
      }
    }
  }
}

extension String {
  fileprivate func replaced(_ old: String, _ new: String) -> String {
    var text = self
    text.replace(old, with: new)
    return text
  }
}
