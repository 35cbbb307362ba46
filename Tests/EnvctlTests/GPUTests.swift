/// `envctl gpu` and `--gpu` as people use them, on hosts described in folders.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  struct GPUTests {
    private func withHost(_ files: [String: String], _ body: (Program, FilePath) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let root = folder.appending("root")
        for (path, text) in files {
          let file = root.appending(path)
          try FileSystem.createDirectories(file.removingLastComponent())
          try FileSystem.writeAtomically(Array(text.utf8), to: file)
        }
        try FileSystem.createDirectories(root)
        try FileSystem.createDirectories(folder.appending("work"))
        try body(Program(home: folder.appending("home"), folder: folder.appending("work")), root)
      }
    }

    private let spec = """
      cdiVersion: 0.5.0
      kind: vendor.com/gpu
      devices:
        - {name: "0", containerEdits: {deviceNodes: [{path: /dev/vendor0}]}}
      """

    @Test func installedDevicesAndBrokenFiles() throws {
      try withHost(["etc/cdi/vendor.yaml": spec, "etc/cdi/bad.yaml": "cdiVersion: 0.5.0\nkinds: x\n"]) { program, root in
        let list = try program("gpu", "list", "--root", root.string)
        #expect(list.status == 0)
        #expect(list.output == "vendor.com/gpu=0  /etc/cdi/vendor.yaml\n")
        #expect(list.errors == "warning: /etc/cdi/bad.yaml: /etc/cdi/bad.yaml:2:1: unknown key 'kinds'\n")
        let json = try program("gpu", "list", "--root", root.string, "--format", "json").json()
        #expect(json["devices"].items.first?["device"].string == "vendor.com/gpu=0")
        #expect(json["devices"].items.first?["isVerified"].bool == true)
        #expect(!FileSystem.exists(program.home))
        let made = try program("gpu", "spec", "--root", root.string)
        #expect(made.status == 6)
        #expect(made.errors.contains("error: there is no specification to make on this host"))
      }
    }

    @Test func aHostWithoutAny() throws {
      try withHost([:]) { program, root in
        let list = try program("gpu", "list", "--root", root.string)
        #expect(list.status == 0 && list.output == "" && list.errors == "no GPU was found\n")
        #expect(try program("gpu", "list", "--root", root.appending("nowhere").string).status == 1)
      }
    }

    @Test("a specification is made for every kind that has none", .needs(.root)) func generated() throws {
      try withHost(["sys/class/drm/renderD128/device/vendor": "0x1002\n"]) { program, root in
        var tree = try RootDirectory(root)
        for name in ["dev/kfd", "dev/dri/renderD128", "dev/xpu0"] {
          try tree.makeNode(try RelativePath(name), kind: .characterDevice, major: 226, minor: 128)
        }
        let which = try program("gpu", "spec", "--root", root.string)
        #expect(which.status == 2 && which.errors.contains("amd.com/gpu, kunlunxin.com/xpu"))
        let amd = try program("gpu", "spec", "--root", root.string, "amd.com/gpu")
        #expect(try amd.json()["kind"].string == "amd.com/gpu")
        #expect(try amd.json()["devices"].items.map { $0["name"].string } == ["0", "all"])
        let xpu = try program("gpu", "spec", "--root", root.string, "kunlunxin.com/xpu")
        #expect(xpu.errors == "note: the specification of kunlunxin.com/xpu is unverified: it passes device nodes on, and no libraries\n")
        let list = try program("gpu", "list", "--root", root.string)
        #expect(list.output.contains("kunlunxin.com/xpu=0  unverified, generated\n"))
      }
    }

    /// On every host, whatever it has: nothing is fetched for what it cannot do.
    @Test(
      arguments: [
        ("vendor.example/gpu=9", 6, "no CDI specification describes the device 'vendor.example/gpu=9'"),
        ("0,none", 2, "'0,none' is no choice of GPUs: 'none' stands alone"),
        ("GPU-nobody-has-this", 2, "there is no GPU 'GPU-nobody-has-this'"),
      ] as [(String, Int32, String)])
    func whatCannotBeHadIsToldBeforeAnythingElse(choice: String, status: Int32, message: String) throws {
      try withHost([:]) { program, _ in
        try program.project("paddle-2.6-cpu")
        for outcome in [try program("up", "--gpu", choice), try program("run", "--gpu", choice, "--", "true")] {
          #expect(outcome.errors.contains(message), "\(outcome)")
          #expect(outcome.status == status, "\(outcome)")
        }
      }
    }
  }
}
