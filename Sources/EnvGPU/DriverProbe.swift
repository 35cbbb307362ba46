/// What NVIDIA's driver answers inside a container: only an opened device makes "the GPU was passed through" a fact.
import EnvCore

/// The answers of the driver library, as the probing program prints them.
///
/// The calls are those of the CUDA driver API, sections "Initialization", "Version Management" and "Device Management".
public struct DriverProbe: Sendable, Equatable, Decodable {
  /// One device, in the order in which programs number them.
  public struct Device: Sendable, Equatable, Decodable {
    public var name: String
    /// Major and minor number.
    public var computeCapability: [Int]
  }

  /// Why nothing could be tried: a Python without ctypes.
  public var untried: String?
  /// Why libcuda could not be loaded; nil when it was.
  public var missing: String?
  /// The call that failed and what it returned (CUresult); nil when all went well.
  public var failedCall: String?
  public var code: Int?
  /// The newest CUDA version the driver knows: 1000 × major + 10 × minor.
  public var version: Int?
  public var devices: [Device]?

  /// Reads what the program printed.
  ///
  /// - Throws: `GPUError.probeUnreadable`.
  public init(output: [UInt8]) throws(GPUError) {
    do {
      self = try CanonicalJSON.decode(DriverProbe.self, from: output, object: "the answer of the driver probe")
    } catch {
      throw .probeUnreadable(output: String(decoding: output.prefix(200), as: UTF8.self))
    }
  }

  /// How long the driver may take. Where nobody keeps it awake (nvidia-persistenced), each GPU costs it some seconds.
  public static let limit = Duration.seconds(60)

  /// What to run in the container. Python is in every image that trains models, and ctypes in every whole Python; a program of our own
  /// would have to fit each image's C library.
  ///
  /// - Parameter limit: In whole seconds. The kernel ends the program then, also where a runtime that is told to end leaves it behind.
  public static func command(within limit: Duration = DriverProbe.limit) -> [String] {
    ["python3", "-I", "-c", program, "\(max(1, limit.components.seconds))"]
  }

  private static let program = """
    import json, os, signal, sys
    # Without handlers of Python's: those would run after the call that does not return. A signal mask may come from whoever started this.
    endings = [signal.SIGALRM, signal.SIGINT]
    for ending in endings: signal.signal(ending, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, endings)
    signal.alarm(int(sys.argv[1]))
    answer = {}
    class Failed(Exception): pass
    # What is visible to programs is their affair; the question is what was passed on.
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    def call(name, *arguments):
        code = getattr(cuda, name)(*arguments)
        if code:
            answer.update(failedCall=name, code=code)
            raise Failed
    try:
        import ctypes
        cuda = ctypes.CDLL("libcuda.so.1")
        call("cuInit", 0)
        number, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        call("cuDriverGetVersion", ctypes.byref(number))
        answer["version"] = number.value
        call("cuDeviceGetCount", ctypes.byref(number))
        answer["devices"] = []
        for index in range(number.value):
            device, capability = ctypes.c_int(), []
            call("cuDeviceGet", ctypes.byref(device), index)
            call("cuDeviceGetName", name, len(name), device)
            for attribute in (75, 76):  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR
                call("cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
                capability.append(number.value)
            answer["devices"].append({"name": name.value.decode(errors="replace"), "computeCapability": capability})
    except ImportError as error:
        answer["untried"] = str(error)
    except OSError as error:
        answer["missing"] = str(error)
    except AttributeError as error:
        answer["missing"] = "it lacks a function: " + str(error)
    except Failed:
        pass
    print(json.dumps(answer))
    """

  /// For people: `CUDA 12.4, NVIDIA H200 (9.0)`.
  ///
  /// - Parameter expected: How many GPUs were passed; nil where parts of GPUs were, which the driver counts in its own way (MIG user
  ///   guide, "CUDA visible devices").
  /// - Throws: `GPUError.notPassed` when the container cannot use what it was given.
  public func require(expected: Int?) throws(GPUError) -> String {
    if let missing { throw .notPassed(reason: "the driver library cannot be used: \(missing)", code: nil) }
    if let failedCall, let code {
      throw .notPassed(reason: "\(failedCall) returned \(code)" + (Self.names[code].map { " (\($0))" } ?? ""), code: code)
    }
    guard let version, let devices, !devices.isEmpty else { throw .notPassed(reason: "the driver counts no device", code: nil) }
    if let expected, devices.count < expected {
      throw .notPassed(reason: "the driver counts \(devices.count) of \(expected) devices", code: nil)
    }
    let names = devices.map { "\($0.name) (\($0.computeCapability.map(String.init).joined(separator: ".")))" }
    return "CUDA \(version / 1000).\(version % 1000 / 10), " + names.joined(separator: ", ")
  }

  /// cuda.h, CUresult: those that come of a host or a container, not of a program.
  private static let names = [
    100: "CUDA_ERROR_NO_DEVICE", 101: "CUDA_ERROR_INVALID_DEVICE", 3: "CUDA_ERROR_NOT_INITIALIZED", 34: "CUDA_ERROR_STUB_LIBRARY",
    802: "CUDA_ERROR_SYSTEM_NOT_READY", 803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", 804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    999: "CUDA_ERROR_UNKNOWN",
  ]

  /// What usually lies behind an error of the driver's.
  static func hint(code: Int?) -> String? {
    switch code {
    case 34: "the image's own stub of libcuda.so.1 is found first: take it out of LD_LIBRARY_PATH"
    case 100, 999:
      "the container may have lost its devices, as it does when systemd reloads its units (systemctl daemon-reload): `envctl stop`, then "
        + "`envctl up`; `nvidia-smi` shows whether the host itself can use them"
    case 802: "Fabric Manager is not ready: systemctl start nvidia-fabricmanager"
    case 803: "libraries and kernel module of the driver are of different versions: reboot, or reload the module"
    case 804: "the image brings a CUDA compatibility library this GPU cannot use: take /usr/local/cuda/compat out of LD_LIBRARY_PATH"
    default: "`envctl gpu list` shows what was found on the host, and `nvidia-smi` whether the host itself can use it"
    }
  }
}
