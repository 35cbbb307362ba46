/// How sizes and durations are written for people. Machine formats carry plain bytes and seconds instead.

/// A number of bytes.
public struct ByteCount: Sendable, Hashable, CustomStringConvertible {
  public let bytes: Int64

  public init(_ bytes: some BinaryInteger) { self.bytes = Int64(clamping: bytes) }

  /// SI units, three significant digits at most: `999 B`, `12.3 kB`, `741 MB`.
  public var description: String {
    if bytes < 1000 { return "\(bytes) B" }
    var value = Double(bytes)
    var unit = ""
    for name in ["kB", "MB", "GB", "TB"] where value >= 999.5 || unit.isEmpty {
      value /= 1000
      unit = name
    }
    return value < 99.95 ? "\((value * 10).rounded() / 10) \(unit)" : "\(Int(value.rounded())) \(unit)"
  }
}

extension Duration {
  /// Seconds as a floating-point number, for reports and rates.
  public var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }

  /// `8 ms`, `1.3 s`, `2 min 05 s`.
  public var forPeople: String {
    let seconds = seconds
    if seconds < 0.9995 { return "\(Int((seconds * 1000).rounded())) ms" }
    if seconds < 99.95 { return "\((seconds * 10).rounded() / 10) s" }
    let whole = Int(seconds.rounded())
    let rest = whole % 60
    return "\(whole / 60) min \(rest < 10 ? "0" : "")\(rest) s"
  }
}
