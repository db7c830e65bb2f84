import Metainfo
import TestSupport
import Testing

@testable import Store

/// Content of which every byte is known, cut by a schedule and hashed, against a reference that
/// hashes it file by file and piece by piece.
@Suite struct HashScheduleTests {
  @Test(arguments: 0..<12)
  func digestsEqualTheReference(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    for kind in TorrentKind.allCases {
      let content = Content.random(kind: kind, using: &generator)
      let (trees, pieces) = content.hashed()
      #expect(pieces == content.referencePieces, "seed \(seed), \(kind)")
      if kind.hasV2 { #expect(trees == content.referenceTrees, "seed \(seed), \(kind)") }
    }
  }

  @Test func segmentsAreWholePiecesInOrder() {
    for kind in TorrentKind.allCases {
      for pieceLength in [16 << 10, 1 << 20, 4 << 20, 32 << 20] {
        let file = HashSchedule.File(length: 100 << 20)
        var schedule = HashSchedule(
          kind: kind, pieceLength: pieceLength, files: [file], v1Length: file.length)
        var position: UInt64 = 0
        while let segment = schedule.next() {
          guard case .file(0, offset: position, let count) = segment.spans[0] else {
            Issue.record("\(kind) \(pieceLength): not at \(position)")
            return
          }
          position += UInt64(count)
          let isWhole = count % pieceLength == 0 || pieceLength % count == 0 && kind == .v2
          #expect(isWhole || position == file.length)
          #expect(segment.byteCount <= max(HashLimits.laneBytes, kind.hasV1 ? pieceLength : 0))
        }
        #expect(position == file.length)
      }
    }
  }

  @Test func holesNeedNoJob() {
    let tebibyte: UInt64 = 1 << 40
    let data: UInt64 = 5 << 30
    let file = HashSchedule.File(
      length: tebibyte, holes: [0..<data, (data + 1)..<tebibyte])
    var queue = HashQueue(
      HashSchedule(kind: .v2, pieceLength: 4 << 20, files: [file], v1Length: 0))
    var jobs = 0
    var results = 0
    while !queue.isFinished {
      if let job = queue.nextJob() {
        jobs += job.segments.count
        queue.complete(job, with: job.segments.map { _ in .success(SegmentHashes()) })
      }
      while queue.nextResult() != nil { results += 1 }
    }
    // The one with data, and the last, which shows that the file is still what it was.
    #expect(jobs <= 2)
    #expect(results == Int(tebibyte) / HashLimits.segmentBytes)
    #expect(queue.bytesHashed == tebibyte)
  }

  @Test(arguments: 0..<20)
  func resultsComeInOrderWhateverOrderJobsEnd(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    let files = (0..<500).map { _ in
      HashSchedule.File(length: UInt64.random(in: 0...(3 << 20), using: &generator))
    }
    var queue = HashQueue(HashSchedule(kind: .v2, pieceLength: 65_536, files: files, v1Length: 0))
    var running: [SegmentJob] = []
    var next = 0
    while !queue.isFinished {
      while let job = queue.nextJob() { running.append(job) }
      #expect(running.count <= HashLimits.jobsAhead * HashLimits.jobSegments)
      let job = running.remove(at: Int.random(in: running.indices, using: &generator))
      queue.complete(job, with: job.segments.map { _ in .success(SegmentHashes()) })
      while let (segment, _) = queue.nextResult() {
        #expect(segment.number == next)
        next += 1
      }
    }
    #expect(queue.bytesHashed == files.reduce(0) { $0 + $1.length })
  }
}

/// Files whose bytes are in memory, and where they lie in the v1 stream.
private struct Content {
  let kind: TorrentKind
  let pieceLength: Int
  var files: [[UInt8]] = []
  var offsets: [UInt64] = []
  /// The v1 stream, padding included.
  var stream: [UInt8] = []

  static func random(kind: TorrentKind, using generator: inout SplitMix64) -> Content {
    let pieceLength = [16_384, 32_768, 65_536].randomElement(using: &generator)!
    let isOdd = kind == .v1 && Bool.random(using: &generator)
    var content = Content(kind: kind, pieceLength: isOdd ? 30_000 : pieceLength)
    for _ in 0..<Int.random(in: 1...12, using: &generator) {
      let lengths = [0, 1, 16_383, 16_384, 16_385, 65_536, 65_537, 200_000]
      var length = lengths.randomElement(using: &generator)!
      if UInt8.random(in: 0..<16, using: &generator) == 0 { length = 2_200_000 }
      content.offsets.append(UInt64(content.stream.count))
      // One tile a file keeps this fast; offsets still show, since it does not divide blocks.
      let tile = (0..<251).map { _ in UInt8.random(in: 0...255, using: &generator) }
      var bytes: [UInt8] = []
      while bytes.count < length { bytes.append(contentsOf: tile.prefix(length - bytes.count)) }
      content.files.append(bytes)
      content.stream += bytes
      if kind == .hybrid {
        let short = (content.pieceLength - length % content.pieceLength) % content.pieceLength
        content.stream += [UInt8](repeating: 0, count: short)
      }
    }
    return content
  }

  var referencePieces: [SHA1Digest] {
    guard kind.hasV1 else { return [] }
    return stride(from: 0, to: stream.count, by: pieceLength).map {
      SHA1Digest(hashing: stream[$0..<min($0 + pieceLength, stream.count)])
    }
  }

  /// Roots by recursion over halves. BEP 52.
  var referenceTrees: [SHA256Digest?] {
    files.map { bytes in
      guard !bytes.isEmpty else { return nil }
      var layer = stride(from: 0, to: bytes.count, by: blockLength).map {
        SHA256Digest(hashing: bytes[$0..<min($0 + blockLength, bytes.count)])
      }
      while layer.count.nonzeroBitCount > 1 { layer.append(.zero) }
      while layer.count > 1 {
        layer = stride(from: 0, to: layer.count, by: 2).map {
          SHA256Digest.parent(of: layer[$0], layer[$0 + 1])
        }
      }
      return layer[0]
    }
  }

  func hashed() -> (trees: [SHA256Digest?], pieces: [SHA1Digest]) {
    let schedule = HashSchedule(
      kind: kind, pieceLength: pieceLength,
      files: zip(files, offsets).map { .init(length: UInt64($0.count), v1Offset: $1) },
      v1Length: UInt64(stream.count))
    var queue = HashQueue(schedule)
    var trees = [SHA256Digest?](repeating: nil, count: files.count)
    var pieces: [SHA1Digest] = []
    var assembler = TreeAssembler(
      lengths: files.map { UInt64($0.count) }, pieceLength: UInt64(pieceLength))
    let hasher = SegmentHasher(hasher: BulkHasher())
    let layers = LayerHasher()
    while let job = queue.nextJob() {
      queue.complete(job, with: job.segments.map { .success(hash($0, with: hasher)) })
      while let (segment, result) = queue.nextResult() {
        guard case .success(let hashes) = result else { continue }
        pieces += hashes.pieces
        if let part = segment.tree,
          let tree = assembler.add(hashes.nodes, of: part, using: layers)
        {
          trees[part.file] = tree.root
        }
      }
    }
    return (trees, pieces)
  }

  private func hash(_ segment: HashSegment, with hasher: SegmentHasher) -> SegmentHashes {
    var bytes: [UInt8] = []
    for span in segment.spans {
      switch span {
      case .zeros(let count): bytes.append(contentsOf: repeatElement(0, count: count))
      case .file(let file, let offset, let count):
        bytes.append(contentsOf: files[file][Int(offset)..<(Int(offset) + count)])
      }
    }
    hasher.begin(segment, isStreamed: false)
    let isHashed = bytes.withUnsafeBytes { hasher.append($0) }
    #expect(isHashed)
    return hasher.finish()
  }
}
