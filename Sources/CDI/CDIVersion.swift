/// The versions of the Container Device Interface and what each of them brought.
import EnvCore

/// A released version of the CDI specification that envctl reads. 0.1.0 and 0.2.0 had another form and are refused.
public enum CDIVersion: String, Sendable, CaseIterable, Codable, Comparable {
  case v0_3 = "0.3.0"
  /// Mounts may have a `type`.
  case v0_4 = "0.4.0"
  /// Device nodes may have a `hostPath`, names of devices may begin with a digit.
  case v0_5 = "0.5.0"
  /// Annotations, and dots in the class of a kind.
  case v0_6 = "0.6.0"
  /// `intelRdt` and `additionalGids`.
  case v0_7 = "0.7.0"
  case v0_8 = "0.8.0"
  case v1_0 = "1.0.0"
  /// `netDevices`, and `schemata` and `enableMonitoring` in `intelRdt`, which lost `enableCMT` and `enableMBM`.
  case v1_1 = "1.1.0"

  public static func < (left: CDIVersion, right: CDIVersion) -> Bool { left.order < right.order }

  private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
