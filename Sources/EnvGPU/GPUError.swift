/// Why a container cannot have the GPUs that were asked for.
import CDI
import EnvCore
import SafeFS

/// An error of device discovery, choice or preflight.
public enum GPUError: Diagnostic {
  /// `--gpu` or `gpu:` with something that is no request.
  case badRequest(String, reason: String)
  /// A GPU is required and the host has none envctl knows how to pass through; `reason` is what was looked for.
  case noGPU(reason: String)
  case unknownDevice(String, known: [String])
  /// A short name that several kinds of device have.
  case ambiguousDevice(String, candidates: [String])
  case cdi(underlying: CDIError)
  case unreadableHost(underlying: FileSystemError)
  case malformedLinkerCache(reason: String)
  case malformedRequirement(variable: String, expression: String)
  /// The host does not have what the image needs.
  case preflight([PreflightFinding])
  /// The container was started and cannot use its GPUs; `code` is the driver's (CUresult), where it gave one.
  case notPassed(reason: String, code: Int?)
  /// The driver did not answer in time.
  case driverSilent(limit: Duration)
  /// The program in the container said something else than the probe does.
  case probeUnreadable(output: String)
  /// The program in the container ended without an answer; `status` is what a shell gives.
  case probeFailed(status: Int32, message: String)

  public var summary: String {
    switch self {
    case .badRequest(let text, let reason): "'\(text)' is no choice of GPUs: \(reason)"
    case .noGPU(let reason): "a GPU is required and none was found: \(reason)"
    case .unknownDevice(let name, _): "there is no GPU '\(name)'"
    case .ambiguousDevice(let name, let candidates): "'\(name)' may be \(candidates.joined(separator: " or "))"
    case .cdi: "the devices cannot be passed to the container"
    case .unreadableHost: "the host's devices cannot be looked at"
    case .malformedLinkerCache(let reason): "/etc/ld.so.cache is not a linker cache envctl reads: \(reason)"
    case .malformedRequirement(let variable, let expression):
      "the image's \(variable) holds '\(expression)', which is no condition such as cuda>=11.8"
    case .preflight(let findings):
      findings.count == 1
        ? findings[0].summary
        : "the host lacks \(findings.count) things the image needs: " + findings.map(\.summary).joined(separator: "; ")
    case .notPassed(let reason, _): "the GPUs cannot be used in the container: \(reason)"
    case .driverSilent(let limit):
      "the GPUs cannot be used in the container: the driver did not answer within \(limit.forPeople)"
    case .probeFailed(let status, let message):
      "the GPUs could not be tried in the container: its python3 ended with status \(status)" + (message.isEmpty ? "" : ": " + message)
    case .probeUnreadable(let output): "the GPUs could not be tried in the container: its python3 printed '\(output)'"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .cdi(let underlying): underlying
    case .unreadableHost(let underlying): underlying
    default: nil
    }
  }

  public var hint: String? {
    switch self {
    case .badRequest: "write none, optional, required, all, or devices such as 0,1 or GPU-… or nvidia.com/gpu=0"
    case .noGPU: "`envctl gpu list` shows what was found; `gpu: none` works on the processor"
    case .unknownDevice(let name, let known):
      didYouMean(name, among: known) ?? (known.isEmpty ? nil : "known: " + known.joined(separator: ", "))
    case .ambiguousDevice: "write the full name"
    case .malformedRequirement: "NVIDIA_DISABLE_REQUIRE=1 in the image's variables skips these conditions"
    case .preflight(let findings): findings.lazy.compactMap(\.hint).first
    case .notPassed(_, let code): DriverProbe.hint(code: code)
    case .driverSilent:
      "`nvidia-smi` shows whether the host itself gets an answer; `dmesg | grep NVRM` what the driver says of a GPU that hangs"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .badRequest, .unknownDevice, .ambiguousDevice: .usage
    default: .host
    }
  }
}

/// Runs `body`, and tells what failed on the file system as this module's error.
func lookingAtHost<Value>(_ body: () throws(FileSystemError) -> Value) throws(GPUError) -> Value {
  do throws(FileSystemError) {
    return try body()
  } catch {
    throw .unreadableHost(underlying: error)
  }
}
