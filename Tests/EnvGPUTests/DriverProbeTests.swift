/// The program that tries the GPUs, run for real against driver libraries made for the test, and what is made of its answers.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvGPU

@Suite(.needs(.tool("python3"), .tool("cc", package: "gcc"))) struct DriverProbeTests {
  /// Runs the probe where `libcuda.so.1` is made of this source.
  private func probe(_ source: String?) throws -> DriverProbe {
    try withTemporaryFolder { folder in
      if let source {
        try FileSystem.writeAtomically(Array(source.utf8), to: folder.appending("cuda.c"))
        let built = try Tool.run(
          "cc", "-shared", "-fPIC", "-o", folder.appending("libcuda.so.1").string, folder.appending("cuda.c").string)
        try #require(built.status == 0, "\(built)")
      }
      let outcome = try Tool.run("env", ["LD_LIBRARY_PATH=\(folder)"] + DriverProbe.command(within: .seconds(30)))
      try #require(outcome.status == 0, "\(outcome)")
      return try DriverProbe(output: Array(outcome.text.utf8))
    }
  }

  /// A driver with `count` devices whose `cuInit` returns `status`.
  private func driver(count: Int, status: Int = 0) -> String {
    """
    #include <string.h>
    int cuInit(unsigned flags) { return flags ? 1 : \(status); }
    int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
    int cuDeviceGetCount(int *count) { *count = \(count); return 0; }
    int cuDeviceGet(int *device, int index) { *device = 40 + index; return 0; }
    int cuDeviceGetName(char *name, int length, int device) { strncpy(name, device == 40 ? "First" : "Second", length); return 0; }
    int cuDeviceGetAttribute(int *value, int attribute, int device) {
      if (device < 40 || (attribute != 75 && attribute != 76)) return 1;
      *value = attribute == 75 ? 9 : 0;
      return 0;
    }
    """
  }

  @Test func devicesThatAnswer() throws {
    let probe = try probe(driver(count: 2))
    #expect(try probe.require(expected: 2) == "CUDA 12.4, First (9.0), Second (9.0)")
    #expect(try probe.require(expected: nil).hasPrefix("CUDA 12.4"))
    let error = #expect(throws: GPUError.self) { try probe.require(expected: 3) }
    #expect(error?.summary == "the GPUs cannot be used in the container: the driver counts 2 of 3 devices")
  }

  @Test(arguments: [
    (100, "CUDA_ERROR_NO_DEVICE", "daemon-reload"), (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "reboot"), (12345, "12345", "gpu list"),
  ])
  func aDriverThatRefuses(code: Int, name: String, hint: String) throws {
    let error = try #require(throws: GPUError.self) { try probe(driver(count: 1, status: code)).require(expected: 1) }
    #expect(error.summary.contains("cuInit returned \(code)") && error.summary.contains(name), "\(error)")
    #expect(error.hint?.contains(hint) == true)
    #expect(error.exitCode == .host)
  }

  @Test func aPythonWithoutTheMeansIsNoAnswer() throws {
    let probe = try DriverProbe(output: Array(#"{"untried": "No module named 'ctypes'"}"#.utf8))
    #expect(probe.untried != nil && probe.missing == nil)
  }

  /// A call of the driver's that does not return is ended by the kernel, whatever Python does meanwhile, and by an interruption.
  @Test func aDriverThatHangs() throws {
    try withTemporaryFolder { folder in
      let source = folder.appending("cuda.c")
      try FileSystem.writeAtomically(Array("#include <unistd.h>\nint cuInit(unsigned f) { for (;;) pause(); }\n".utf8), to: source)
      try #require(try Tool.run("cc", "-shared", "-fPIC", "-o", folder.appending("libcuda.so.1").string, source.string).status == 0)
      let start = ContinuousClock.now
      let outcome = try Tool.run("env", ["LD_LIBRARY_PATH=\(folder)"] + DriverProbe.command(within: .seconds(1)))
      // 128 + SIGALRM.
      #expect(outcome.status == 142 && outcome.text.isEmpty, "\(outcome)")
      let interrupt = ["--preserve-status", "-s", "INT", "2", "env", "LD_LIBRARY_PATH=\(folder)"]
      let interrupted = try Tool.run("timeout", interrupt + DriverProbe.command(within: .seconds(60)))
      #expect(interrupted.status == 130 && interrupted.text.isEmpty, "\(interrupted)")
      #expect(ContinuousClock.now - start < .seconds(20))
    }
  }

  @Test func noDriverAndHalfOfOne() throws {
    let without = try #require(throws: GPUError.self) { try probe(nil).require(expected: 1) }
    #expect(without.summary.contains("libcuda.so.1"), "\(without)")
    let half = try #require(throws: GPUError.self) { try probe("int cuInit(unsigned flags) { return 0; }").require(expected: 1) }
    #expect(half.summary.contains("it lacks a function") && half.summary.contains("cuDriverGetVersion"), "\(half)")
    #expect(throws: GPUError.self) { try probe(driver(count: 0)).require(expected: nil) }
  }

  @Test func whatIsNoAnswer() {
    let error = #expect(throws: GPUError.self) { try DriverProbe(output: Array("Segmentation fault".utf8)) }
    #expect(error?.summary.contains("Segmentation fault") == true)
  }
}
