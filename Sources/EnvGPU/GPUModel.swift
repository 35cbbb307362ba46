/// What the name of an NVIDIA GPU tells: compute capability and brand, which otherwise only NVML does.
import EnvCatalog
import EnvCore

/// A GPU's product name, such as `NVIDIA A100-SXM4-80GB` or `NVIDIA GeForce RTX 4090`.
struct GPUModel {
  private let words: [String]

  init(_ name: String) {
    words = name.split { $0 == " " || $0 == "-" || $0 == "/" }.map { $0.lowercased() }
  }

  /// From NVIDIA's list "CUDA GPU Compute Capability". Nil for names that are not in it.
  var computeCapability: Version? {
    let text: String?
    if words.contains("blackwell") {
      text = "12.0"
    } else if words.contains("ada") {
      text = "8.9"
    } else if words.contains("titan") {
      text = titan
    } else if words.contains("geforce") {
      text = geforce
    } else if words.contains("quadro"), words.contains("rtx") {
      text = "7.5"
    } else {
      text = words.lazy.compactMap { Self.capabilities[$0] }.first
    }
    return text.flatMap { Version(parsing: $0) }
  }

  private var titan: String? {
    if words.contains("rtx") { return "7.5" }
    if words.contains("v") { return "7.0" }
    return words.contains("xp") ? "6.1" : nil
  }

  /// GeForce names carry the generation in the first digits of a number of four.
  private var geforce: String? {
    guard let number = words.first(where: { $0.utf8.count >= 4 && $0.utf8.prefix(4).allSatisfy { (48...57).contains($0) } }) else {
      return nil
    }
    return Self.generations[String(number.prefix(2))]
  }

  private static let generations = ["10": "6.1", "16": "7.5", "20": "7.5", "30": "8.6", "40": "8.9", "50": "12.0"]

  private static let capabilities: [String: String] = [
    "k80": "3.7", "m40": "5.2", "m60": "5.2", "p100": "6.0", "p40": "6.1", "p4": "6.1", "v100": "7.0", "v100s": "7.0", "gv100": "7.0",
    "t4": "7.5", "t4g": "7.5", "a100": "8.0", "a100x": "8.0", "a30": "8.0", "a800": "8.0", "a2": "8.6", "a10": "8.6", "a10g": "8.6",
    "a16": "8.6", "a40": "8.6", "a2000": "8.6", "a4000": "8.6", "a4500": "8.6", "a5000": "8.6", "a5500": "8.6", "a6000": "8.6",
    "l2": "8.9", "l4": "8.9", "l20": "8.9", "l40": "8.9", "l40s": "8.9", "h100": "9.0", "h200": "9.0", "h20": "9.0", "h800": "9.0",
    "gh200": "9.0", "b100": "10.0", "b200": "10.0", "gb200": "10.0", "b300": "10.3", "gb300": "10.3", "gb10": "12.1",
  ]

  /// The names NVIDIA_REQUIRE_* may call the brand. Drivers of different age say `tesla` or `nvidia` for the same data-centre GPU, so both
  /// count there.
  var brands: Set<String> {
    let hasRTX = words.contains("rtx")
    if words.contains("geforce") { return hasRTX ? ["geforcertx", "geforce"] : ["geforce"] }
    if words.contains("quadro") { return hasRTX ? ["quadrortx", "quadro"] : ["quadro"] }
    if words.contains("titan") { return hasRTX ? ["titanrtx", "titan"] : ["titan"] }
    if words.contains("grid") { return ["grid"] }
    return hasRTX ? ["nvidiartx", "nvidia"] : ["tesla", "nvidia"]
  }
}
