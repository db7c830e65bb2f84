/// Reads what a server sends in transmission, in the slowest and most obvious way: what each request
/// came to, or what is wrong with the stream.
struct NBDReferenceClient {
  struct Extent: Hashable {
    var length: UInt64
    var flags: UInt64
  }

  /// Data by place in the export, for each read that was answered, by cookie.
  var data: [UInt64: [UInt64: UInt8]] = [:]
  /// Extents by context, for each question.
  var extents: [UInt64: [UInt32: [Extent]]] = [:]
  /// Errors, by cookie.
  var errors: [UInt64: UInt32] = [:]
  /// Which requests were ended, in order.
  var done: [UInt64] = []
  var faults: [String] = []
  private var rest: ArraySlice<UInt8>

  /// - Parameter reads: the ranges of reads by cookie, which a simple reply does not tell.
  init(_ stream: [UInt8], style: NBDStyle, reads: [UInt64: Range<UInt64>] = [:]) {
    rest = stream[...]
    while !rest.isEmpty, faults.isEmpty {
      switch number(4) {
      case 0x6744_6698:
        if style == .extended { faults.append("a simple reply") }
        takeSimple(style, reads)
      case 0x668e_33ef:
        if style != .structured { faults.append("a structured reply") }
        takeChunk(offset: nil)
      case 0x6e8a_278c:
        if style != .extended { faults.append("an extended reply") }
        takeChunk(offset: 24)
      case let other: faults.append("magic \(other)")
      }
    }
  }

  private mutating func number(_ count: Int) -> UInt64 {
    guard rest.count >= count else {
      faults.append("the stream ends inside a message")
      rest = []
      return 0
    }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count).reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func takeSimple(_ style: NBDStyle, _ reads: [UInt64: Range<UInt64>]) {
    let error = UInt32(number(4))
    let cookie = number(8)
    done.append(cookie)
    if error != 0 {
      errors[cookie] = error
    } else if let range = reads[cookie] {
      if style != .simple { faults.append("a simple reply to a read") }
      for place in range { data[cookie, default: [:]][place] = UInt8(number(1)) }
    }
  }

  private mutating func takeChunk(offset: Int?) {
    let flags = number(2)
    let type = number(2)
    let cookie = number(8)
    if offset != nil { _ = number(8) }
    let length = number(offset == nil ? 4 : 8)
    if done.contains(cookie) { faults.append("a chunk after the last") }
    if flags == 1 { done.append(cookie) } else if flags != 0 { faults.append("flags \(flags)") }
    switch type {
    case 0:
      if length != 0 || flags != 1 { faults.append("NONE with data, or not last") }
    case 1:
      if length < 9 { faults.append("no data in a chunk of data") }
      let start = number(8)
      for place in start..<(start + length - 8) {
        let former = data[cookie, default: [:]].updateValue(UInt8(number(1)), forKey: place)
        if former != nil { faults.append("byte \(place) twice") }
      }
    case 5, 6:
      if (type == 6) != (offset != nil) { faults.append("a status of the wrong size") }
      let id = UInt32(number(4))
      let size: UInt64 = type == 6 ? 16 : 8
      var left = length - 4
      if type == 6 {
        if number(4) != (length - 8) / 16 { faults.append("a wrong number of extents") }
        left -= 4
      }
      if left == 0 || left % size != 0 { faults.append("a status of \(length) bytes") }
      var list: [Extent] = []
      for _ in 0..<(left / size) {
        list.append(Extent(length: number(Int(size) / 2), flags: number(Int(size) / 2)))
      }
      if list.contains(where: { $0.length == 0 }) { faults.append("an empty extent") }
      if extents[cookie, default: [:]].updateValue(list, forKey: id) != nil {
        faults.append("a context twice")
      }
    case 0x8001, 0x8002:
      let error = UInt32(number(4))
      let text = number(2)
      for _ in 0..<text { _ = number(1) }
      if type == 0x8002 { _ = number(8) }
      if length != 6 + text + (type == 0x8002 ? 8 : 0) { faults.append("an error's length") }
      if error == 0 { faults.append("an error that is none") }
      errors[cookie] = error
    default: faults.append("chunk of type \(type)")
    }
  }
}
