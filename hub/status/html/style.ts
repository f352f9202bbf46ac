/** The page's looks, light and dark; every colour of a text has a contrast of 4.5 or more. */
export const STYLE = `
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b232e;--soft:#545f6d;--line:#dfe3e8;
--good:#0b6437;--good-bg:#e2f3e8;--bad:#a1201a;--bad-bg:#fbe5e3;--warn:#7a4300;--warn-bg:#fbeed7}
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--card:#181e26;--text:#e6eaf0;--soft:#a5b0bd;--line:#2c3541;
--good:#7bdca6;--good-bg:#12301f;--bad:#ffa49c;--bad-bg:#3b1715;--warn:#f3bf6e;--warn-bg:#35260d}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:70rem;margin:0 auto;padding:1.5rem 1rem 3rem}
header p,footer{color:var(--soft)}
header p{margin:0}
.verdict{margin:.75rem 0 1.5rem;padding:1.1rem 1.25rem;border-radius:.75rem;border:1px solid;border-left-width:.5rem}
.verdict h1{margin:0;font-size:1.5rem;line-height:1.3}
.verdict p{margin:.4rem 0 0}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.none{color:var(--soft)}
.verdict.good{background:var(--good-bg)}.verdict.bad{background:var(--bad-bg)}.verdict.warn{background:var(--warn-bg)}
.stale{display:none}
[data-trust=stale] .stale.old,[data-trust=ahead] .stale.ahead{display:block}
[data-trust=stale] .told,[data-trust=ahead] .told{opacity:1;background:none;color:var(--soft);border-color:var(--line)}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
ol,ul{margin:0;padding:0;list-style:none}
li{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--bad);border-radius:.5rem;padding:.6rem .8rem;margin:.5rem 0}
details li{border-left-color:var(--line)}
summary{cursor:pointer;color:var(--soft);margin-top:1.5rem}
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line);border-radius:.6rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;font-size:1.1rem;margin:2rem 0 .5rem}
th,td{text-align:left;padding:.5rem .7rem;border-top:1px solid var(--line);vertical-align:top}
thead th{border-top:0;min-width:5.5rem;color:var(--soft);font-size:.85rem;font-weight:600}
tbody th{font-weight:600;min-width:7.5rem}
small{display:block}small:not(.good,.bad,.warn){color:var(--soft)}
tbody th small{font-weight:400}
.badge{font-weight:600}
.badge i{font-style:normal}
footer{margin-top:2.5rem;font-size:.9rem}
code{font-size:.95em}
@media (max-width:52rem){
table,tbody,tr,td,tbody th,caption{display:block}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table{background:none;border:0}
tr{background:var(--card);border:1px solid var(--line);border-radius:.6rem;margin:.6rem 0;padding:.35rem 0}
tbody th{border:0;font-size:1.05rem;padding:.4rem .8rem}
td{display:grid;grid-template-columns:7.5rem minmax(0,1fr);gap:.5rem;border:0;padding:.2rem .8rem}
td::before{content:attr(data-label);color:var(--soft)}
.verdict h1{font-size:1.25rem}
}
@media print{body{background:#fff}}
`;

/**
 * Says how old the page is, and takes its verdict back when that is too old. The page is whole
 * without it: its heading says when it was true.
 */
export const SCRIPT = `(()=>{
const root=document.documentElement,{made,limit}=document.querySelector("main").dataset,title=document.title;
const ages=document.querySelectorAll(".age");
const look=()=>{
const seconds=(Date.now()-Date.parse(made))/1000,old=seconds>Number(limit),ahead=seconds<-300;
root.dataset.trust=old?"stale":ahead?"ahead":"fresh";
document.title=old||ahead?"! Do not trust: "+title:title;
const minutes=Math.max(0,Math.floor(seconds/60)),hours=Math.floor(minutes/60);
const text=minutes<2?"just now":minutes<120?minutes+" minutes ago":hours<72?hours+" hours ago":Math.floor(hours/24)+" days ago";
for(const age of ages)age.textContent=text;
};
look();setInterval(look,20000);document.addEventListener("visibilitychange",look);
})()`;
