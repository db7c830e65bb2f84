import CGuard
import Glibc
import Metainfo
import Store

/// Reads segments from disk and hashes them. Used by one pool thread at a time, which is what makes
/// it safe to hand from thread to thread.
///
/// Large runs of one file are mapped: that spares a copy, which is a third of the time of hashing.
/// A page that vanishes because the file was cut short is survived (`CGuard`). Small and sparse
/// runs are read into a buffer; reading a hole costs no page of it.
final class SegmentReader: @unchecked Sendable {
  private let segments: SegmentHasher
  private var buffer: UnsafeMutableRawBufferPointer
  private let windowBytes: Int

  /// `windowBytes`: how much of a segment is held in memory at once.
  init(windowBytes: Int, keepsLeaves: Bool) {
    self.windowBytes = windowBytes
    buffer = .init(start: nil, count: 0)
    segments = SegmentHasher(
      hasher: BulkHasher(perform: { function, argument in cguard_run(function, argument) }),
      keepsLeaves: keepsLeaves)
  }

  deinit { buffer.deallocate() }

  /// The digests of `segment`.
  func hash(_ segment: HashSegment, of content: ContentSource) -> SegmentResult {
    do throws(HashFailure) {
      if segment.byteCount <= windowBytes {
        try hashWhole(segment, of: content)
      } else {
        try hashInWindows(segment, of: content)
      }
      return .success(segments.finish())
    } catch {
      segments.abandon()
      return .failure(error)
    }
  }

  private func hashWhole(_ segment: HashSegment, of content: ContentSource) throws(HashFailure) {
    segments.begin(segment, isStreamed: false)
    let isMapped = try hashMapped(segment, of: content)
    if isMapped { return }
    reserve(segment.byteCount)
    var filled = 0
    for span in segment.spans {
      try fill(filled, from: span, at: 0, count: span.count, of: content)
      filled += span.count
    }
    // Memory of our own does not vanish.
    _ = segments.append(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
  }

  /// A segment larger than the window, in several appends.
  private func hashInWindows(_ segment: HashSegment, of content: ContentSource) throws(HashFailure)
  {
    segments.begin(segment, isStreamed: true)
    let window = HashLimits.leastSegmentBytes
    reserve(window)
    var filled = 0
    for span in segment.spans {
      var done = 0
      while done < span.count {
        let count = min(window - filled, span.count - done)
        try fill(filled, from: span, at: done, count: count, of: content)
        done += count
        filled += count
        if filled == window {
          _ = segments.append(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
          filled = 0
        }
      }
    }
    if filled > 0 { _ = segments.append(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) }
  }

  /// Hashes a segment in the page cache itself. False when it is not of the kind for which that is
  /// possible and pays.
  private func hashMapped(_ segment: HashSegment, of content: ContentSource) throws(HashFailure)
    -> Bool
  {
    let leastBytes = 256 << 10  // Below, a map costs more than a copy.
    guard segment.spans.count == 1, case .file(let index, let offset, let count) = segment.spans[0],
      count >= leastBytes, let stamp = content.files[index].stamp, !stamp.isSparse,
      offset + UInt64(count) <= stamp.length
    else { return false }
    let descriptor = try content.open(index)
    let slack = Int(offset % UInt64(sysconf(Int32(_SC_PAGESIZE))))
    let length = count + slack
    let flags = MAP_SHARED | MAP_POPULATE
    guard
      let start = mmap(
        nil, length, PROT_READ, flags, descriptor.number, off_t(offset) - off_t(slack)),
      start != MAP_FAILED
    else { return false }
    defer { munmap(start, length) }
    let isHashed = segments.append(UnsafeRawBufferPointer(start: start + slack, count: count))
    try content.check(index, descriptor)
    // Cut short and put back, or a disk that does not give its pages.
    if !isHashed { throw HashFailure(file: index, reason: .unreadable("input/output error")) }
    return true
  }

  /// Puts `count` bytes of `span`, from `start` on, into the buffer at `position`.
  private func fill(
    _ position: Int, from span: HashSpan, at start: Int, count: Int, of content: ContentSource
  ) throws(HashFailure) {
    let target = UnsafeMutableRawBufferPointer(rebasing: buffer[position..<(position + count)])
    guard case .file(let index, let offset, _) = span, let stamp = content.files[index].stamp else {
      target.initializeMemory(as: UInt8.self, repeating: 0)
      return
    }
    // What lies beyond the end of a file that is shorter than it should be counts as zeros.
    let begin = offset + UInt64(start)
    let present = Int(min(UInt64(count), stamp.length - min(begin, stamp.length)))
    let descriptor = try content.open(index)
    let wanted = UnsafeMutableRawBufferPointer(rebasing: target[..<present])
    guard let read = descriptor.read(into: wanted, at: begin) else {
      throw content.unreadable(index)
    }
    try content.check(index, descriptor)
    if read < present { throw HashFailure(file: index, reason: .changed) }
    UnsafeMutableRawBufferPointer(rebasing: target[present...])
      .initializeMemory(as: UInt8.self, repeating: 0)
  }

  private func reserve(_ count: Int) {
    guard buffer.count < count else { return }
    buffer.deallocate()
    buffer = .allocate(byteCount: count, alignment: 4096)
  }
}
