/// The variables this process was started with.
import CLinux
import Glibc

/// Access to the environment of this process. A child gets exactly the variables its `Command` lists and nothing else.
public enum ProcessEnvironment {
  /// All variables, read once: envctl never changes its own environment.
  public static let inherited: [String: String] = {
    var variables: [String: String] = [:]
    guard var entry = cl_environ() else { return variables }
    // environ(7) is an array of C strings that ends with NULL.
    while let text = entry.pointee {
      let pair = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2, variables[String(pair[0])] == nil { variables[String(pair[0])] = String(pair[1]) }
      entry += 1
    }
    return variables
  }()

  /// The inherited variables among `names`.
  public static func inherited(only names: [String]) -> [String: String] {
    inherited.filter { names.contains($0.key) }
  }
}
