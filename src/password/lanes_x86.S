/* lanes_x86.S - one key schedule of 1 to 5 lanes at once, for x86-64 with BMI1 and BMI2.
 *
 * Why not C: compilers keep the ten halves of five lanes on the stack, and spend instructions on
 * cutting a word into its bytes. Here a round of a lane is 11 instructions, four of which cut out
 * the bytes, and every half stays in its register.
 *
 * The bound: 5 loads and 9 operations of the ALUs a round and lane. A core with 2 loads a cycle
 * needs 2.5 cycles, one with 3 loads and 4 ALUs 2.25; a schedule is 521 * 16 rounds. Measured on
 * a Zen 3 at 3.24 GHz: 2.66 cycles with 5 lanes, 10.9 in libxcrypt: 4.1 times its rate. The same
 * instructions without any dependence between them took 2.5 there. What did not help: a lane's
 * halves packed into one register, so that two P words come with one load (4.5 loads but slower
 * shifts, and 7 lanes were no faster than 5), instructions of two lanes interleaved one by one (the
 * core reorders better than we do), byte registers such as %ah. `./dev bench hash` measures it.
 *
 * bextr takes AMD's cores one operation, Intel's two; pext takes Intel's one and Zen 3's one, but
 * there only one a cycle, and before Zen 3 dozens. So there are two kernels that differ in this.
 *
 * Registers: lane k's halves are in r8 to r15, eax, ebx; the addresses that change are on the
 * stack. rdi, the base of all addresses, ends in the bits 11000 and so is shrx's count of 24 too. */
#ifdef __CET__
#include <cet.h> /* the mark that says so: endbr64 is there, and the shadow stack is left alone */
#endif

#define LANE_BYTES 4352 /* these two as in lanes.h: lanes_x86.c compares them */
#define LANE_P     4096
#define BIAS       24 /* of rdi; a lane is aligned to 64 */

#define SUM   %esi /* what becomes the round's f */
#define INDEX %ecx
#define CUT16 %edx /* operands that make \cut take bits 16 to 23, and 8 to 15 */
#define CUT8  %ebp
#define AT    0(%rsp) /* where the next blocks go in lane 0, and where they end */
#define END   8(%rsp)

	/* to ^= P[i] ^ (((S0[byte 3] + S1[byte 2]) ^ S2[byte 1]) + S3[byte 0]) in lane k */
	.macro half_round cut, k, i, from, byte0, to
	shrx	%edi, \from, SUM
	\cut	CUT16, \from, INDEX
	movl	\k*LANE_BYTES-BIAS(%rdi,%rsi,4), SUM
	addl	\k*LANE_BYTES+1024-BIAS(%rdi,%rcx,4), SUM
	\cut	CUT8, \from, INDEX
	xorl	\k*LANE_BYTES+2048-BIAS(%rdi,%rcx,4), SUM
	movzbl	\byte0, INDEX
	movl	\k*LANE_BYTES+3072-BIAS(%rdi,%rcx,4), INDEX
	addl	INDEX, SUM
	xorl	\k*LANE_BYTES+LANE_P+4*(\i)-BIAS(%rdi), \to
	xorl	SUM, \to
	.endm

	.macro round_to_right cut, n, i
	half_round \cut, 0, \i, %r8d, %r8b, %r9d
	.if \n > 1
	half_round \cut, 1, \i, %r10d, %r10b, %r11d
	.endif
	.if \n > 2
	half_round \cut, 2, \i, %r12d, %r12b, %r13d
	.endif
	.if \n > 3
	half_round \cut, 3, \i, %r14d, %r14b, %r15d
	.endif
	.if \n > 4
	half_round \cut, 4, \i, %eax, %al, %ebx
	.endif
	.endm

	.macro round_to_left cut, n, i
	half_round \cut, 0, \i, %r9d, %r9b, %r8d
	.if \n > 1
	half_round \cut, 1, \i, %r11d, %r11b, %r10d
	.endif
	.if \n > 2
	half_round \cut, 2, \i, %r13d, %r13b, %r12d
	.endif
	.if \n > 3
	half_round \cut, 3, \i, %r15d, %r15b, %r14d
	.endif
	.if \n > 4
	half_round \cut, 4, \i, %ebx, %bl, %eax
	.endif
	.endm

	/* P[i] for one half, at both ends of a block */
	.macro whiten n, i, half0, half1, half2, half3, half4
	xorl	LANE_P+4*\i-BIAS(%rdi), \half0
	.if \n > 1
	xorl	LANE_BYTES+LANE_P+4*\i-BIAS(%rdi), \half1
	.endif
	.if \n > 2
	xorl	2*LANE_BYTES+LANE_P+4*\i-BIAS(%rdi), \half2
	.endif
	.if \n > 3
	xorl	3*LANE_BYTES+LANE_P+4*\i-BIAS(%rdi), \half3
	.endif
	.if \n > 4
	xorl	4*LANE_BYTES+LANE_P+4*\i-BIAS(%rdi), \half4
	.endif
	.endm

	/* Lane k's block is done: its halves change places, and go where rsi points. */
	.macro store k, left, right
	xchgl	\left, \right
	movl	\left, \k*LANE_BYTES(%rsi)
	movl	\right, \k*LANE_BYTES+4(%rsi)
	.endm

	/* One block of each lane after the other, from lane 0's `begin` to its `end`. */
	.macro blocks cut, n, begin, end
	leaq	\begin-BIAS(%rdi), %rsi
	leaq	\end-BIAS(%rdi), %rcx
	movq	%rsi, AT
	movq	%rcx, END
	.p2align 5
.Lblock\@:
	whiten	\n, 0, %r8d, %r10d, %r12d, %r14d, %eax
	.irp	i, 1, 3, 5, 7, 9, 11, 13, 15
	round_to_right \cut, \n, \i
	round_to_left \cut, \n, \i+1
	.endr
	whiten	\n, 17, %r9d, %r11d, %r13d, %r15d, %ebx
	movq	AT, %rsi
	store	0, %r8d, %r9d
	.if \n > 1
	store	1, %r10d, %r11d
	.endif
	.if \n > 2
	store	2, %r12d, %r13d
	.endif
	.if \n > 3
	store	3, %r14d, %r15d
	.endif
	.if \n > 4
	store	4, %eax, %ebx
	.endif
	addq	$8, %rsi
	movq	%rsi, AT
	cmpq	END, %rsi
	jne	.Lblock\@
	.endm

	.macro push_all registers:vararg
	.irp	r, \registers
	pushq	%\r
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \r, 0
	.endr
	.endm

	.macro pop_all registers:vararg
	.irp	r, \registers
	popq	%\r
	.cfi_adjust_cfa_offset -8
	.cfi_restore \r
	.endr
	.endm

	/* void NAME(struct lane *lanes) */
	.macro schedule name, cut, n, cut16, cut8
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.p2align 6
\name:
	.cfi_startproc
	endbr64
	push_all rbx, rbp, r12, r13, r14, r15
	subq	$16, %rsp
	.cfi_adjust_cfa_offset 16
	addq	$BIAS, %rdi
	movl	$\cut16, CUT16
	movl	$\cut8, CUT8
	.irp	half, %r8d, %r9d, %r10d, %r11d, %r12d, %r13d, %r14d, %r15d, %eax, %ebx
	xorl	\half, \half
	.endr
	blocks	\cut, \n, LANE_P, LANE_P+72
	blocks	\cut, \n, 0, LANE_P
	addq	$16, %rsp
	.cfi_adjust_cfa_offset -16
	pop_all	r15, r14, r13, r12, rbp, rbx
	ret
	.cfi_endproc
	.size	\name, .-\name
	.endm

	.text
	.irp	n, 1, 2, 3, 4, 5
	schedule lanes_x86_bextr_\n, bextr, \n, 0x0810, 0x0808
	schedule lanes_x86_pext_\n, pext, \n, 0x00ff0000, 0x0000ff00
	.endr

	.section .note.GNU-stack, "", @progbits
