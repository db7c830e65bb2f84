/// The value of a base32 digit of either case, `a` to `z` and `2` to `7`; nil for another byte.
/// RFC 4648, section 6.
func base32Digit(_ digit: UInt8) -> UInt8? {
  switch digit {
  case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a")
  case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
  case UInt8(ascii: "2")...UInt8(ascii: "7"): digit - UInt8(ascii: "2") + 26
  default: nil
  }
}

/// A decimal number of at least one digit and nothing else, at most `maximum`; else nil.
func decimal(_ text: some Collection<UInt8>, max maximum: UInt64) -> UInt64? {
  guard !text.isEmpty else { return nil }
  var value: UInt64 = 0
  for digit in text {
    guard case UInt8(ascii: "0")...UInt8(ascii: "9") = digit else { return nil }
    let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = tenfold.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
    guard !overflow, !carry, sum <= maximum else { return nil }
    value = sum
  }
  return value
}

extension UInt8 {
  /// The byte, an ASCII capital made small.
  var asciiLowercased: UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
  }
}

extension Collection where Element == UInt8 {
  /// Whether the bytes begin with `prefix`, which is in lower case; ASCII case is ignored.
  func startsIgnoringCase(with prefix: StaticString) -> Bool {
    let prefix = UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
    return self.prefix(prefix.count).lazy.map(\.asciiLowercased).elementsEqual(prefix)
  }
}
