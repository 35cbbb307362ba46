/// GPUs in real containers of the program: a CDI specification brings a driver library made for the test, and the host's Python to ask it.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(
    .needs(
      .root, .tool("runc"), .tool("python3"), .tool("cc", package: "gcc"), .tool("busybox", package: "busybox-static"),
      Capability("merged /usr", isPresent: (try? FileSystem.linkTarget("/lib")) == "usr/lib", package: nil)))
  struct PassedGPUTests {
    /// A project whose GPU is the device /dev/null under another name, with a driver whose `cuInit` returns `status`.
    private func withGPU(status: Int, _ body: (Program) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let source = """
          int cuInit(unsigned flags) { return \(status); }
          int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
          int cuDeviceGetCount(int *count) { *count = 1; return 0; }
          int cuDeviceGet(int *device, int index) { *device = index; return 0; }
          int cuDeviceGetName(char *name, int length, int device) { name[0] = 'G'; name[1] = 0; return 0; }
          int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 9 : 0; return 0; }
          """
        try FileSystem.writeAtomically(Array(source.utf8), to: folder.appending("cuda.c"))
        let library = folder.appending("libcuda.so.1")
        let built = try Tool.run("cc", "-shared", "-fPIC", "-o", library.string, folder.appending("cuda.c").string)
        try #require(built.status == 0, "\(built)")
        let specifications = folder.appending("cdi")
        try FileSystem.createDirectories(specifications)
        let spec = """
          cdiVersion: 0.5.0
          kind: nvidia.com/gpu
          containerEdits:
            env: [LD_LIBRARY_PATH=/driver]
            mounts:
              - {hostPath: \(library), containerPath: /driver/libcuda.so.1, options: [ro, rbind]}
              - {hostPath: /usr, containerPath: /usr, options: [ro, rbind]}
              - {hostPath: /usr/lib, containerPath: /lib, options: [ro, rbind]}
              - {hostPath: /usr/lib64, containerPath: /lib64, options: [ro, rbind]}
          devices:
            - {name: "0", containerEdits: {deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/null}]}}
          """
        try FileSystem.writeAtomically(Array(spec.utf8), to: specifications.appending("nvidia.yaml"))
        var program = try SmallImage.program(in: folder)
        program.variables["ENVCTL_CDI_FOLDERS"] = specifications.string
        try program.project("oci:\(folder)/layout", "check: none\ngpu: required\nenv: {PATH: /usr/bin:/bin}\n")
        try body(program)
        _ = try program("down")
      }
    }

    @Test func aDriverThatAnswers() throws {
      try withGPU(status: 0) { program in
        #expect(try program("gpu", "list").output.hasPrefix("nvidia.com/gpu=0  "))
        let up = try program("up")
        #expect(up.status == 0 && up.errors.contains("CUDA 12.4, G (9.0)"), "\(up)")
        #expect(try program("exec", "--", "sh", "-c", ": < /dev/nvidia0 && echo opened").output == "opened\n")
        let run = try program("run", "--", "sh", "-c", ": < /dev/nvidia0 && echo opened")
        #expect(run.status == 0 && run.output == "opened\n", "\(run)")
      }
    }

    /// The command is not run where its GPU would not work, and neither is a training.
    @Test func aDriverThatRefuses() throws {
      try withGPU(status: 100) { program in
        for outcome in [try program("run", "--", "sh", "-c", "echo ran"), try program("up")] {
          #expect(outcome.status == 6 && !outcome.output.contains("ran"), "\(outcome)")
          #expect(outcome.errors.contains("cuInit returned 100 (CUDA_ERROR_NO_DEVICE)"), "\(outcome)")
        }
        let folder = program.folder.removingLastComponent()
        try program.project(
          "oci:\(folder)/layout", "check: {command: [sh, train.sh]}\ngpu: required\nenv: {PATH: /usr/bin:/bin}\n")
        try program.write("touch /workspace/ran\n", to: "train.sh")
        let record = try program("baseline", "record")
        #expect(record.status == 6 && record.errors.contains("CUDA_ERROR_NO_DEVICE"), "\(record)")
        #expect(!FileSystem.exists(program.folder.appending("ran")))
      }
    }
  }
}
