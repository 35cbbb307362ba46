/// Student's t distribution for whole degrees of freedom: what a test on a handful of seeds needs. Pure arithmetic.
import Glibc

/// The distribution of the mean of a normal sample over its standard error.
struct StudentT {
  /// One less than the number of values, at least 1.
  let degreesOfFreedom: Int

  /// The probability of a value up to `t`.
  ///
  /// Finite sums in the angle θ = atan(t / √ν), exact for whole ν: Abramowitz and Stegun, 26.7.3 and 26.7.4.
  func probability(upTo t: Double) -> Double {
    let within = probabilityWithin(abs(t))
    return t < 0 ? (1 - within) / 2 : (1 + within) / 2
  }

  /// The value that is not exceeded with this probability, which lies between 0 and 1.
  ///
  /// Found by halving an interval: the distribution grows strictly, and a hundred halvings leave nothing of a Double's 53 bits.
  func quantile(_ probability: Double) -> Double {
    if probability < 0.5 { return -quantile(1 - probability) }
    var (low, high) = (0.0, 1.0)
    while self.probability(upTo: high) < probability, high < 1e300 { (low, high) = (high, high * 2) }
    for _ in 0..<100 {
      let middle = (low + high) / 2
      if self.probability(upTo: middle) < probability { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }

  /// The probability of a value between -`t` and `t`, for t ≥ 0.
  private func probabilityWithin(_ t: Double) -> Double {
    let freedom = Double(degreesOfFreedom)
    let cosine = 1 / (1 + t * t / freedom).squareRoot()
    let sine = t / freedom.squareRoot() * cosine
    if degreesOfFreedom == 1 { return 2 / .pi * atan(t) }
    // The even sum begins with 1 and goes up by odd over even numbers, the odd one begins with cos θ and goes up by even over odd ones.
    let isOdd = degreesOfFreedom % 2 == 1
    var term = isOdd ? cosine : 1
    var sum = term
    var factor = isOdd ? 2 : 1
    while factor + 1 < degreesOfFreedom {
      term *= Double(factor) / Double(factor + 1) * cosine * cosine
      sum += term
      factor += 2
    }
    return isOdd ? 2 / .pi * (atan(t / freedom.squareRoot()) + sine * sum) : sine * sum
  }
}
