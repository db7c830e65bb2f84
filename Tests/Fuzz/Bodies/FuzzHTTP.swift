import Metainfo
import Wire

/// The first byte says which part of a request the rest is.
func fuzzHTTP(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  let part = reader.byte() % 4
  let rest = Array(bytes.dropFirst())
  switch part {
  case 0:
    let length = (0..<8).reduce(UInt64(0)) { number, _ in number << 8 | UInt64(reader.byte()) }
    range(Array(rest.dropFirst(8)), of: length)
  case 1: conditions(rest)
  case 2: target(rest)
  default: types(rest)
  }
}

/// A part lies in the file and is not empty.
private func range(_ header: [UInt8], of length: UInt64) {
  let range = ByteRange(header: header, length: length)
  switch range {
  case .whole: demand(range.contentRange(of: length) == nil)
  case .part(let bytes): demand(!bytes.isEmpty && bytes.upperBound <= length, "outside the file")
  case .unsatisfiable: demand(range.contentRange(of: length) == "bytes */\(length)")
  }
}

/// Three headers, a line each. A tag that is listed as it is written is found.
private func conditions(_ bytes: [UInt8]) {
  let lines = bytes.split(separator: 0x0a, maxSplits: 2, omittingEmptySubsequences: false).map(
    Array.init)
  func line(_ index: Int) -> [UInt8]? {
    lines.indices.contains(index) && !lines[index].isEmpty ? lines[index] : nil
  }
  let tag = EntityTag(strong: "abc")
  var conditions = Preconditions(ifMatch: line(0), ifNoneMatch: line(1), ifRange: line(2))
  _ = conditions.verdict(on: tag)
  conditions.ifNoneMatch = nil
  demand(conditions.verdict(on: tag) != .notModified, "not modified without If-None-Match")
  conditions.ifMatch = Array(tag.text.utf8)
  demand(conditions.verdict(on: tag) != .failed, "a tag does not match itself")
}

/// Written again, the path reads the same, and no name leads elsewhere.
private func target(_ bytes: [UInt8]) {
  guard let target = try? RequestTarget(bytes) else { return }
  var again: [UInt8] = target.path.isEmpty ? [0x2f] : []
  for name in target.path {
    demand(!name.isEmpty && !name.contains(0), "a name that is none")
    demand(!name.elementsEqual(".".utf8) && !name.elementsEqual("..".utf8), "a way out")
    again.append(0x2f)
    PercentCoding.encode(name, into: &again)
  }
  demand(target.query.count <= HTTPLimits.parameters)
  if again.count <= HTTPLimits.targetBytes {
    demand((try? RequestTarget(again))?.path == target.path, "written again it reads differently")
  }
  guard let names = try? RequestTarget.fileNames(target.path) else { return }
  for name in names {
    // All but their length is as a path in a torrent wants it.
    demand(name.count > 255 || (try? PathElement(name)) != nil, "no name of a file")
  }
}

/// Whoever takes anything takes this.
private func types(_ bytes: [UInt8]) {
  let type = MediaType.ofFile(named: bytes)
  demand(MediaType.accepts(nil, type) && MediaType.accepts(Array("*/*".utf8), type))
  _ = MediaType.accepts(bytes, type)
  _ = MediaType.isContent(bytes, "application/json")
}
