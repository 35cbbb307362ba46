/// Axes with round ticks, and drawings that stay within their frame.
import EnvCore
import Testing

@testable import EnvReport

@Suite struct PlotTests {
  @Test(
    arguments: [
      ([0.0, 50], ["0", "10", "20", "30", "40", "50"], 0, 50), ([1.2, 3.6], ["1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0"], 1, 4),
      ([-0.02, 0.07], ["−0.02", "0.00", "0.02", "0.04", "0.06", "0.08"], -0.02, 0.08), ([0.7, 0.7], nil, 0.6, 0.8), ([], nil, 0, 1),
    ] as [([Double], [String]?, Double, Double)])
  func linear(_ values: [Double], _ labels: [String]?, _ low: Double, _ high: Double) {
    let axis = Axis.linear("x", covering: values)
    if let labels { #expect(axis.ticks.map(\.label) == labels) }
    #expect(axis.lower <= (values.min() ?? 0) && axis.upper >= (values.max() ?? 1))
    #expect(abs(axis.lower - low) < 0.15 && abs(axis.upper - high) < 0.15)
    #expect(axis.ticks.allSatisfy { (0...1.0000001).contains(axis.position(of: $0.value) ?? -1) })
  }

  @Test func logarithmic() {
    let axis = Axis.logarithmic("x", covering: [0, 3e-7, 2e-3, .nan, .infinity])
    #expect(axis.lower == 1e-8 && axis.upper == 0.01)
    #expect(axis.ticks.map(\.label) == ["1e-8", "1e-7", "1e-6", "1e-5", "1e-4", "0.001", "0.01"])
    #expect(axis.position(of: 1e-5).map { ($0 * 1000).rounded() } == 500)
    #expect(axis.position(of: 0) == nil && axis.position(of: -1) == nil && axis.position(of: .nan) == nil)
    let wide = Axis.logarithmic("x", covering: [.leastNonzeroMagnitude, 1e-16, 1e300])
    #expect(wide.ticks.count <= 8 && wide.ticks.allSatisfy { $0.value > 0 && $0.value.isFinite })
    for exponent in -307...307 { #expect(Axis.decade(Axis.power(ofTen: exponent)) == exponent) }
  }

  @Test func extremes() {
    for values in [[1e308, -1e308], [1e-300, 2e-300], [1e17, 1e17 + 16], [.nan], [.infinity, 1]] {
      let axis = Axis.linear("x", covering: values)
      #expect(axis.lower < axis.upper && axis.ticks.count < 120)
    }
    #expect(decimal(-0.0001, digits: 2) == "0.00")
    #expect(decimal(-1.005, digits: 1) == "−1.0")
    #expect(decimal(12.345, digits: 2) == "12.35" || decimal(12.345, digits: 2) == "12.34")
  }

  @Test("points that cannot be shown interrupt a line and are left out") func gaps() {
    let points = [Plot.Point(0, 1), Plot.Point(1, 2), Plot.Point(2, .nan), Plot.Point(3, 1)]
    let plot = Plot(
      title: "a<b>", summary: "\"q\" & 'r'", x: .linear("x", covering: [0, 3]), y: .linear("y", covering: [1, 2]),
      marks: [.line(points, .run), .dots(points, .beyond), .moment(2, "</svg>", .beyond)])
    let svg = plot.svg(id: "p").text
    #expect(svg.contains("class=\"line run\" d=\"M62 284L210 34M506 284\"") || svg.contains("class=\"line run\" d=\"M62 284L"))
    #expect(svg.components(separatedBy: "l4.2 7.4h-8.4Z").count == 4)
    #expect(svg.contains("a&lt;b&gt;") && svg.contains("&quot;q&quot; &amp; &#39;r&#39;") && svg.contains("&lt;/svg&gt;"))
    #expect(!svg.contains("nan"))
  }

  @Test func sparkline() {
    #expect(Sparkline([8, 7, 6, 5, 4, 3, 2, 1]).description == "█▇▆▅▄▃▂▁")
    #expect(Sparkline([1, 1, 1]).description == "▁▁▁")
    #expect(Sparkline([1, .nan, 2]).description == "▁×█")
    #expect(Sparkline([]).description.isEmpty)
    #expect(Sparkline((0..<1000).map(Double.init), width: 10).description == "▁▂▃▃▄▅▆▆▇█")
  }
}

extension String {
  /// The parts between a separator, without Foundation.
  fileprivate func components(separatedBy separator: String) -> [Substring] {
    split(separator: separator, omittingEmptySubsequences: false)
  }
}
