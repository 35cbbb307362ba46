/// Which NVIDIA driver a CUDA version needs. Whether a host has it is checked elsewhere.
import EnvCore

/// The two minima of a CUDA toolkit on Linux, which are easily confused.
public struct DriverRequirement: Hashable, Sendable, Codable {
  /// The driver that ships with the toolkit (CUDA release notes, "CUDA Toolkit and Corresponding Driver Versions"): with it, everything works.
  public let shipped: Version?
  /// The oldest driver that runs programs of the same CUDA major version (CUDA compatibility guide, "Minor Version Compatibility"):
  /// below it, nothing works. This is what a preflight check insists on.
  public let floor: Version?

  public init(shipped: Version?, floor: Version?) {
    self.shipped = shipped
    self.floor = floor
  }

  /// Looks up a CUDA version of at least two numbers; nil when neither minimum is known.
  public init?(cuda: Version) {
    guard let major = cuda.components.first else { return nil }
    let minor = cuda.components.dropFirst().first
    let shipped = minor.flatMap { Self.shippedDrivers["\(major).\($0)"] }
    let floor = Self.floors[major]
    guard shipped != nil || floor != nil else { return nil }
    self.init(shipped: shipped.flatMap { Version(parsing: $0) }, floor: floor.flatMap { Version(parsing: $0) })
  }

  /// The newest CUDA version a driver brings: the newest whose own driver is not newer. Nil for drivers older than the table.
  ///
  /// Drivers between two toolkits report a version of their own (565 is CUDA 12.7, for which there was no toolkit); the table gives the
  /// toolkit before it.
  public static func newestCUDA(driver: Version) -> Version? {
    shippedDrivers.compactMap { cuda, shipped -> Version? in
      guard let shipped = Version(parsing: shipped), shipped <= driver else { return nil }
      return Version(parsing: cuda)
    }
    .max()
  }

  private static let shippedDrivers: [String: String] = [
    "11.0": "450.51.05", "11.1": "455.23", "11.2": "460.27.03", "11.3": "465.19.01", "11.4": "470.42.01", "11.5": "495.29.05",
    "11.6": "510.39.01", "11.7": "515.43.04", "11.8": "520.61.05", "12.0": "525.60.13", "12.1": "530.30.02", "12.2": "535.54.03",
    "12.3": "545.23.06", "12.4": "550.54.14", "12.5": "555.42.02", "12.6": "560.28.03", "12.8": "570.26", "12.9": "575.51.03",
    "13.0": "580.65.06", "13.1": "590.44.01",
  ]
  private static let floors: [Int: String] = [11: "450.80.02", 12: "525.60.13", 13: "580"]
}
