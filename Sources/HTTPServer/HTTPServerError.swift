/// Why a server cannot listen.
import EnvCore

/// A failure to start a server; one that runs has none: a bad client concerns itself only.
public enum HTTPServerError: Diagnostic, Equatable {
  case invalidAddress(String)
  /// `errno` of the call.
  case cannotListen(ListenAddress, call: String, reason: String)

  public var summary: String {
    switch self {
    case .invalidAddress(let text): "'\(text)' is no address to listen on"
    case .cannotListen(let address, let call, let reason): "cannot listen on \(address): \(call): \(reason)"
    }
  }

  public var hint: String? {
    switch self {
    case .invalidAddress: "write PORT, 127.0.0.1:PORT or [::1]:PORT"
    case .cannotListen: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .invalidAddress: .usage
    case .cannotListen: .host
    }
  }
}
