/// Text that is safe on a terminal and shows every byte: valid UTF-8 as it is, a backslash
/// doubled, everything else (control characters too) as `\xNN`.
public func printable(_ bytes: some Collection<UInt8>) -> String {
  let bytes = Array(bytes)
  var text: [UInt8] = []
  text.reserveCapacity(bytes.count)
  var index = 0
  while index < bytes.count {
    let byte = bytes[index]
    if byte == UInt8(ascii: "\\") {
      text.append(byte)
      text.append(byte)
      index += 1
    } else if (0x20...0x7e).contains(byte) {
      text.append(byte)
      index += 1
    } else if let (scalar, length) = scalar(in: bytes, at: index), isVisible(scalar) {
      text.append(contentsOf: bytes[index..<(index + length)])
      index += length
    } else {
      // One byte at a time: what follows a lead byte is no better alone.
      text.append(contentsOf: "\\x".utf8)
      text.append(hexDigit(byte >> 4))
      text.append(hexDigit(byte & 15))
      index += 1
    }
  }
  return String(decoding: text, as: UTF8.self)
}

/// The bytes that `printable` made this text of; nil for a backslash that begins nothing it writes.
public func unprintable(_ text: String) -> [UInt8]? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "\\") else {
      bytes.append(byte)
      continue
    }
    switch rest.popFirst() {
    case UInt8(ascii: "\\"): bytes.append(byte)
    case UInt8(ascii: "x"):
      guard let high = rest.popFirst().flatMap(hexNibble),
        let low = rest.popFirst().flatMap(hexNibble)
      else { return nil }
      bytes.append(high << 4 | low)
    default: return nil
    }
  }
  return bytes
}

/// Whether a terminal shows the character and does nothing else with it.
private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format: false
  default: true
  }
}

/// The character outside of ASCII that starts at `index`, and its length in bytes; nil where the
/// bytes are not UTF-8. Unicode, table 3-7.
private func scalar(in bytes: [UInt8], at index: Int) -> (Unicode.Scalar, Int)? {
  let lead = bytes[index]
  let length: Int
  let smallest: UInt32
  switch lead {
  case 0xc2...0xdf: (length, smallest) = (2, 0x80)
  case 0xe0...0xef: (length, smallest) = (3, 0x800)
  case 0xf0...0xf4: (length, smallest) = (4, 0x1_0000)
  default: return nil
  }
  guard bytes.count - index >= length else { return nil }
  var value = UInt32(lead) & (0x7f >> UInt32(length))
  for byte in bytes[(index + 1)..<(index + length)] {
    guard byte & 0xc0 == 0x80 else { return nil }
    value = value << 6 | UInt32(byte & 0x3f)
  }
  guard value >= smallest, let scalar = Unicode.Scalar(value) else { return nil }
  return (scalar, length)
}
