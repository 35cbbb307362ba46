/// Linting of texts in tests: what was found, in one line each.
import EnvCore
import OCI
import Testing

@testable import EnvPolicy

/// The ids found in `text` as a file of this name, each with its place: `EC103 2:8-19`.
func places(_ text: String, _ path: String = "Dockerfile", hasRecipeLock: Bool = false) -> [String] {
  FileLint(Array(text.utf8), path: path, hasRecipeLock: hasRecipeLock).findings.map {
    "\($0.rule.id) \($0.place.line):\($0.place.column)-\($0.place.endColumn)"
  }
}

/// The ids found, without places.
func ids(_ text: String, _ path: String = "Dockerfile", hasRecipeLock: Bool = false) -> [String] {
  FileLint(Array(text.utf8), path: path, hasRecipeLock: hasRecipeLock).findings.map(\.rule.id)
}

func messages(_ text: String, _ path: String = "Dockerfile") -> [String] {
  FileLint(Array(text.utf8), path: path).findings.map(\.message)
}

/// 64 hexadecimal digits.
let hex = String(repeating: "5e", count: 32)
let digest = "sha256:" + hex
let commit = String(repeating: "ab", count: 20)
